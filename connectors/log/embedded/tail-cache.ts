import type { PartitionLog, Span } from '../core/partition.ts'

/** How far the front of the queue may be empty before it is cut off. */
const EMPTY_FRONT_MAX = 1_024

/** Bounds the records that partitions keep in memory: when there are too many bytes, the oldest of all partitions are dropped. */
export class TailCache {
  private readonly sizeBytesMax: number
  private queue: { partition: PartitionLog; next: number; sizeBytes: number }[] = []
  private front = 0
  private sizeBytes = 0

  constructor(sizeBytesMax: number) {
    this.sizeBytesMax = sizeBytesMax
  }

  add({ partition, next, sizeBytes }: Span): void {
    this.queue.push({ partition, next, sizeBytes })
    this.sizeBytes += sizeBytes
    while (this.sizeBytes > this.sizeBytesMax) this.evict()
  }

  private evict(): void {
    const oldest = this.queue[this.front++]!
    oldest.partition.evictBefore(oldest.next)
    this.sizeBytes -= oldest.sizeBytes
    if (this.front < EMPTY_FRONT_MAX || this.front < this.queue.length / 2) return
    this.queue = this.queue.slice(this.front)
    this.front = 0
  }
}
