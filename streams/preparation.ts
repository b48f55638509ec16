/**
 * Costly, pure work on what a source reads, done for all records of a fetch before they come to their task. The graph names a
 * preparation beside its source; a process says how the work is done. Where no process says so, the processor does the work itself.
 */
import type { LogRecord } from './ports.ts'

/** The name of a preparation. `T` is everything that lies in the topic, `P` what is prepared for a record of it. */
export interface Preparation<T, P> {
  readonly name: string
  /** Only a phantom: ties the name to its types. */
  types?(value: T): P
}

export interface PreparedBatch {
  readonly records: readonly LogRecord[]
  readonly partition: number
}

/** Element i of values and result belongs to record i; its value is undefined where the record is none of its topic. */
type Prepare<T, P> = (values: readonly (T | undefined)[], batch: PreparedBatch) => Promise<readonly (P | undefined)[]>

/** The way in which a process does a preparation. */
export interface Preparer {
  readonly name: string
  prepare(values: readonly unknown[], batch: PreparedBatch): Promise<readonly unknown[]>
}

export const preparing = <T, P>({ name }: Preparation<T, P>, prepare: Prepare<T, P>): Preparer => ({ name, prepare })
