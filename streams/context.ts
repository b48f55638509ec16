import type { GlobalTable } from './global-table.ts'
import type { RecordTopic } from './kafka-topic.ts'
import { partitionFor } from './partitioner.ts'
import type { Outputs, OutputTypes, ProcessorContext, RecordOrigin } from './processor.ts'
import type { Store, StoreBuilder } from './store.ts'

/** The record in hand; one object per task, moved from record to record. */
export class RecordInHand {
  topic = ''
  offset = -1
  timestamp = 0
}

/** The parts of a task that its processors may reach. */
export interface TaskScope {
  readonly partition: number
  readonly partitions: number
  readonly inHand: RecordInHand
  requestCommit(): void
  store(name: string): Store
  globalTable(name: string): GlobalTable<unknown, unknown>
}

/** The context of one processor: the task's record in hand, and the outputs of its own. */
export class TaskContext implements ProcessorContext<OutputTypes> {
  readonly outputs: Outputs<OutputTypes>
  private readonly task: TaskScope
  private readonly inHand: RecordInHand

  constructor(task: TaskScope, outputs: Outputs<OutputTypes>) {
    this.task = task
    this.inHand = task.inHand
    this.outputs = outputs
  }

  /** A new object each time: it may be kept. */
  get origin(): RecordOrigin {
    return { topic: this.inHand.topic, partition: this.task.partition, offset: this.inHand.offset }
  }

  store<S extends Store>(builder: StoreBuilder<S>): S {
    return this.task.store(builder.name) as S
  }

  globalTable<K, V>(topic: RecordTopic<K, V>): GlobalTable<K, V> {
    return this.task.globalTable(topic.name) as GlobalTable<K, V>
  }

  owns(keyBytes: Uint8Array): boolean {
    return partitionFor(keyBytes, this.task.partitions) === this.task.partition
  }

  requestCommit(): void {
    this.task.requestCommit()
  }
}
