/** What `sequencer doctor` says of one thing it looked at. */
export interface Finding {
  readonly check: string
  /** null: it could not be looked at, or nothing to look at was named. */
  readonly ok: boolean | null
  readonly detail: string
  readonly advice?: string
}

/** What nobody looked at, and how it would be. */
export const notLookedAt = (check: string, detail: string): Finding => ({ check, ok: null, detail })

/** What it says of one thing that cannot even be looked at. */
export const failed = (check: string, error: unknown, advice: string): Finding => ({
  check,
  ok: false,
  detail: (error as Error).message,
  advice,
})
