/** The words of `npm run cluster` once it runs: where everything is, what to do next, what becomes of the epochs. */
import { relative } from 'node:path'
import { duration } from '../../base/words.ts'
import type { Steps } from '../brokers/steps.ts'
import type { MemberEvent } from './member.ts'
import type { Cluster } from './start.ts'

export interface Story {
  /** Every process runs. */
  running(cluster: Cluster): void
  /** A process of the sequencer has said something. */
  heard(process: string, event: MemberEvent): void
}

/** A slot of a simulated snapshotter. */
const SLOT = 9

/** @param begunAt when the command was given, as `now` */
export function createStory({ log, progress }: Steps, begunAt: number, now: () => number): Story {
  let config: string | undefined
  const early: [process: string, event: MemberEvent][] = []
  let anchored = 0
  let missed = 0
  let runsSince = 0
  let isShown = false
  const since = () => duration(now() - begunAt)
  const command = (...words: readonly string[]): string => `  ./sequencer ${words.join(' ')} --config ${config}`

  /** The epochs of before have no submissions: the snapshotters start last. */
  const wasReleasedMeanwhile = (seconds: unknown): boolean =>
    typeof seconds === 'number' && now() - seconds * 1_000 > runsSince

  const epoch = ({ event, epochId, seconds }: MemberEvent): void => {
    if (event === 'anchored') anchored++
    else missed++
    const after = typeof seconds === 'number' ? `, ${duration(seconds * 1_000)} after its release` : ''
    const lost = missed === 0 ? '' : ` (${missed} ended otherwise)`
    progress(
      'epochs',
      `epoch ${epochId}: ${event === 'anchored' ? `anchored${after}` : 'ended, not anchored'}; ${anchored} anchored so far${lost}`,
    )
    if (isShown || event !== 'anchored' || !wasReleasedMeanwhile(seconds)) return
    isShown = true
    log(
      `The first epoch with submissions is anchored: epoch ${epochId}, ${since()} after the start. What became of it:`,
    )
    log(command('epoch', `${epochId}`))
    log(command('why', '--slot', `${SLOT}`, '--epoch', `${epochId}`))
    log(command('audit'))
  }
  const told = (process: string, said: MemberEvent): void => {
    if (said.event === 'role' && typeof said.detail === 'string')
      log(`${process}: ${said.role} ${said.ready === true ? 'runs' : 'waits'}${said.detail && `, ${said.detail}`}`)
    if (process === 'front' && (said.event === 'anchored' || said.event === 'missed')) epoch(said)
  }
  return {
    running(cluster) {
      runsSince = now()
      config = shellWord(shorter(cluster.config))
      log(`The cluster runs, ${since()} after the start. Its settings are in ${config}.`)
      log(`  console  ${cluster.ops}/`)
      log(`  intake   ${cluster.intake}`)
      log(`  chain    ${cluster.chain.chain.rpcUrls[0]}, ProtocolState ${cluster.chain.chain.protocolState}`)
      log('In another terminal:')
      for (const words of ['status', 'doctor']) log(command(words))
      log('Ctrl-C ends all of it; a second start in the same directory goes on.')
      for (const [process, event] of early.splice(0)) if (event.event !== 'role') told(process, event)
    },
    heard(process, event) {
      if (config !== undefined) told(process, event)
      else if (early.length < EARLY_MAX) early.push([process, event])
    },
  }
}

/** Events from before the cluster runs as a whole; there are some for each role, and few epochs. */
const EARLY_MAX = 1_000

const shorter = (path: string): string => {
  const fromHere = relative(process.cwd(), path)
  return fromHere.startsWith('..') ? path : fromHere
}

/** As it is pasted into a shell. */
export const shellWord = (text: string): string =>
  /^[\w./,@:=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
