/** Whether every partition has all of its copies: a broker that is away is no longer named by the others, and takes connections while it hangs. */
import type { Admin } from 'kafkajs'
import { plural } from '../../base/words.ts'
import type { Finding } from './finding.ts'

const check = 'copies'

/** @param names of topics that are there */
export async function examineCopies(
  admin: Pick<Admin, 'fetchTopicMetadata'>,
  names: readonly string[],
): Promise<Finding> {
  if (names.length === 0) return { check, ok: null, detail: 'there is no topic' }
  const { topics } = await admin.fetchTopicMetadata({ topics: [...names] })
  const partitions = topics.flatMap((topic) => topic.partitions)
  const short = partitions.filter(({ isr, replicas }) => isr.length < replicas.length)
  if (short.length === 0)
    return { check, ok: true, detail: `${plural(partitions.length, 'partition')}, each with all its copies` }
  const brokers = new Set(short.flatMap(({ isr, replicas }) => replicas.filter((broker) => !isr.includes(broker))))
  const which = `${brokers.size === 1 ? 'broker' : 'brokers'} ${[...brokers].sort((a, b) => a - b).join(', ')}`
  const least = short.reduce((fewest, { isr }) => Math.min(fewest, isr.length), Number.POSITIVE_INFINITY)
  return {
    check,
    ok: false,
    detail: `${short.length} of ${plural(partitions.length, 'partition')} lack copies, on ${which}; the fewest that one has is ${least}`,
    advice:
      'Start what does not run; one that runs may hang, or be cut off from the others. A topic with fewer copies than ' +
      '`kafka.minInsyncReplicas` cannot be written.',
  }
}
