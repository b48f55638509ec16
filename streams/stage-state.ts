/** The state of a stage that runs in this process. */
export interface StageState {
  /** The stage has an assignment, and all its tasks are open. */
  readonly ready: boolean
  readonly tasks: number
  readonly standbys: number
  /** Tasks that do not go on: their positions belong to another log. */
  readonly refused: number
  /** Records fetched and not processed. */
  readonly buffered: number
  /** Entries of each store, in the task that has the most of them. */
  readonly rows: ReadonlyMap<string, number>
  /** The log does not do what it was asked to for some seconds already: its words. It is asked again and again. */
  readonly waitsFor: string | undefined
}

/** The state of a stage that does not run here. */
export const NO_STAGE: StageState = {
  ...{ ready: false, tasks: 0, standbys: 0, refused: 0, buffered: 0 },
  ...{ rows: new Map(), waitsFor: undefined },
}
