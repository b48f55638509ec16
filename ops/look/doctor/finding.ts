/** The finding of `sequencer doctor` about one thing. */
export interface Finding {
  readonly check: string
  /** null: it could not be looked at, or nothing to look at was named. */
  readonly ok: boolean | null
  readonly detail: string
  readonly advice?: string
}

/** A thing that nobody looked at, and how to have it looked at. */
export const notLookedAt = (check: string, detail: string): Finding => ({ check, ok: null, detail })

/** The finding about a thing that cannot even be looked at. */
export const failed = (check: string, error: unknown, advice: string): Finding => ({
  check,
  ok: false,
  detail: (error as Error).message,
  advice,
})
