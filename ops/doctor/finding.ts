/** What `sequencer doctor` says of one thing it looked at. */
export interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly detail: string
  readonly advice?: string
}
