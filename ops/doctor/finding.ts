/** What `sequencer doctor` says of one thing it looked at. */
export interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly advice?: string
}

/** What it says of one thing that cannot even be looked at. */
export const failed = (check: string, error: unknown, advice: string): Finding => ({
  check,
  ok: false,
  detail: (error as Error).message,
  advice,
})
