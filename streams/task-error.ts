/** A processor threw, or something that must hold did not: the task stops before the record. */
export class TaskError extends Error {
  readonly stage: string
  readonly partition: number
  constructor(stage: string, partition: number, at: string, cause: unknown) {
    super(`stage ${stage}, task ${partition}, at ${at}: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    })
    this.name = 'TaskError'
    this.stage = stage
    this.partition = partition
  }
}
