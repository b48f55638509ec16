/**
 * The partition of a key: murmur2 without its sign bit, modulo the number of partitions.
 * The same as Kafka's Java clients choose (org.apache.kafka.common.utils.Utils#murmur2), so that foreign producers and
 * ours agree. The same partitioner everywhere: co-partitioning rests on it.
 */
export const partitionFor = (key: Uint8Array, partitions: number): number => (murmur2(key) & 0x7fffffff) % partitions

const SEED = 0x9747b28c
const MULTIPLIER = 0x5bd1e995
const SHIFT = 24

/** MurmurHash2, 32 bit, as a signed integer. */
export function murmur2(data: Uint8Array): number {
  const { length } = data
  const wordsEnd = length & ~3
  let hash = SEED ^ length
  for (let at = 0; at < wordsEnd; at += 4) {
    const word = data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24)
    hash = Math.imul(hash, MULTIPLIER) ^ scramble(word)
  }
  const rest = length - wordsEnd
  if (rest === 3) hash ^= data[wordsEnd + 2]! << 16
  if (rest >= 2) hash ^= data[wordsEnd + 1]! << 8
  if (rest >= 1) hash = Math.imul(hash ^ data[wordsEnd]!, MULTIPLIER)
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER)
  return hash ^ (hash >>> 15)
}

function scramble(word: number): number {
  const mixed = Math.imul(word, MULTIPLIER)
  return Math.imul(mixed ^ (mixed >>> SHIFT), MULTIPLIER)
}
