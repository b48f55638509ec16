/**
 * The sequencer is killed and started again, and its nodes do not answer for a while, all under load. A vote that came in the
 * window of its epoch, by the time of the blocks, is judged by what it is, and never by how late the clock was.
 */

import { openLog } from '../../ops/ground/open-log.ts'
import { scanTopic } from '../../ops/reading/scan.ts'
import { pause } from '../../ops/world/snapshotters/stream-pool.ts'
import type { World } from './world.ts'

export interface Outages {
  /** How often the process is killed while the nodes answer. */
  readonly kills: number
  /** For how long the nodes do not answer, one after the other, seconds; halfway in each the process is killed too. */
  readonly silences: readonly number[]
}

/** What became of what lies in the log, which is what was acknowledged. */
export interface Votes {
  /** Of epochs whose batches are in the log: received before the closing block was made. */
  readonly inWindow: number
  readonly counted: number
  /** Received later. */
  readonly late: number
  /** Other verdicts on those in the window, or NONE, and how many have them. */
  readonly others: Readonly<Record<string, number>>
}

/** What says that it came too early, or too late. */
export const UNTIMELY = ['EPOCH_TOO_FAR', 'EPOCH_NOT_OPEN', 'EPOCH_CLOSED', 'DEADLINE_PASSED', 'NONE']

/** From one kill to the next, so that some epochs are begun and some are ended. */
const BETWEEN_MS = { shortest: 1_000, longest: 4_000 }
const never = new AbortController().signal

export async function playOutages(world: World, { kills, silences }: Outages, log: (line: string) => void) {
  let killed = 0
  const kill = async (): Promise<void> => {
    const began = performance.now()
    await world.killAndStart()
    log(`killed, and runs again after ${Math.round(performance.now() - began)} ms (${++killed})`)
  }
  const span = BETWEEN_MS.longest - BETWEEN_MS.shortest
  for (let n = 0; n < kills && world.ended === undefined; n++) {
    await pause(BETWEEN_MS.shortest + (span * n) / kills, never)
    await kill()
  }
  let unanswered = 0
  for (const seconds of silences) {
    log(`the nodes do not answer for ${seconds} s`)
    const playing = world.proxies.map((proxy) => proxy.play({ name: 'silence' }))
    await pause(seconds * 500, never)
    await Promise.all([kill(), pause(seconds * 500, never)])
    for (const one of playing) one.stop()
    unanswered += playing.reduce((sum, { happened }) => sum + happened, 0)
    await pause(BETWEEN_MS.longest, never)
  }
  return [
    { name: 'killed', happened: killed },
    { name: 'silence', happened: unanswered },
  ]
}

/** Reads the log, which nobody else may have open. @param window blocks, of the contract */
export async function votesOf(world: World, window: number): Promise<Votes> {
  const releases = new Map(
    world.watch.epochs.map(({ dataMarket, epochId, releaseBlock }) => [`${dataMarket}/${epochId}`, releaseBlock]),
  )
  const closes = new Map<string, number>()
  const { log, topics, close } = await openLog({ kind: 'directory', dataDir: world.dataDir })
  try {
    for await (const { records } of scanTopic(log, topics.batches))
      for (const { key, value } of records) {
        const event = topics.batches.value.decode(value!)
        if (!('summaryOf' in event)) continue
        const name = `${topics.batches.key.decode(key!).dataMarket}/${event.summaryOf}`
        const second = await world.secondOf((releases.get(name) ?? 0) + window)
        if (second !== undefined) closes.set(name, second * 1_000)
      }
    const reasons = new Map<string, string>()
    for await (const { records } of scanTopic(log, topics.verdicts))
      for (const { value } of records) {
        const { position, reason } = topics.verdicts.value.decode(value!)
        reasons.set(`${position.partition}/${position.offset}`, reason)
      }
    const others: Record<string, number> = {}
    let [inWindow, counted, late] = [0, 0, 0]
    for await (const { partition, records } of scanTopic(log, topics.submissions))
      for (const { offset, value } of records) {
        const event = topics.submissions.value.decode(value!)
        if (!('submissionId' in event)) continue
        const closesAt = closes.get(`${event.dataMarket.toLowerCase()}/${event.epochId}`)
        if (closesAt === undefined) continue
        if (event.receivedAt >= closesAt) {
          late++
          continue
        }
        inWindow++
        const reason = reasons.get(`${partition}/${offset}`) ?? 'NONE'
        if (reason === 'COUNTED') counted++
        else others[reason] = (others[reason] ?? 0) + 1
      }
    return { inWindow, counted, late, others }
  } finally {
    await close()
  }
}
