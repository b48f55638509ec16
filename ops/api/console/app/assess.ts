/** The health of a market in one sentence: the worst thing that is true, and what to do about it. Pure. */

import { isEnding } from '../../../../schemas/anchor-keys.ts'
import { isAccepted } from '../../../../topology/verdict.ts'
import { isAnchored, isLost } from '../../../reading/epoch-phases.ts'
import type { Gap } from '../../schema.ts'
import { count, duration, percent, plural, sentence } from './format.ts'
import { atDamage, heldBack, logAway, stageStill } from './log-rules.ts'
import { currentPhase, isUnderWay, median, phasesOf, usualPhases } from './phases.ts'
import { roleDown, roleGone, roleWaits, storeFails, storesWait } from './role-rules.ts'
import type { Assessment, MarketFacts, Rule } from './rule.ts'
import { EPOCH_PHASES, gapWords, PHASE_HELP, reasonWords, type Tone } from './words.ts'

/** Epochs of the past that a judgement looks at. */
const RECENT = 12
const REFUSED_SHARE = 0.5
/** Slower chains than that are none we know. */
const BLOCK_MS_MAX = 20_000
/** A single epoch may be empty by chance: its snapshotters were late. */
const EMPTY_MIN = 2
/** No release for so many times the usual distance, and at least so long. */
const SILENT_FACTOR = 4
const SILENT_MS_MIN = 15_000

export function assess(facts: MarketFacts): Assessment {
  for (const rule of RULES) {
    const found = rule(facts)
    if (found) return found
  }
  return healthy(facts)
}

/** A later epoch may overtake one for a moment; that is nothing yet. */
const stuck: Rule = ({ epochs, now, ...facts }) => {
  const held = gapsOf(facts).flatMap((gap) => {
    const epoch = epochs.find(({ epochId }) => epochId === gap.epochId)
    const phase = epoch && currentPhase(phasesOf(epoch, now, {}, true))
    return phase?.state === 'slow' ? [{ gap, phase }] : []
  })
  const oldest = held.at(-1)
  if (!oldest) return undefined
  const { gap, phase } = oldest
  return {
    tone: 'bad',
    title: `Epoch ${gap.epochId} is stuck: ${PHASE_HELP[phase.phase].stuck}`,
    detail: `${sentence(gap.detail)}${held.length > 1 ? ` ${plural(held.length, 'epoch')} in all are stuck.` : ''}`,
    advice: PHASE_HELP[phase.phase].advice,
    epochId: gap.epochId,
  }
}

/** A recent failure is told at once. */
const failedLately: Rule = (facts) => {
  const since = facts.epochs.slice(0, RECENT).at(-1)?.epochId ?? 0
  return failureOf(facts, 'bad', ({ epochId }) => epochId >= since)
}

/** An older failure, when there is nothing worse. */
const failedBefore: Rule = (facts) => failureOf(facts, 'warn', () => true)

function failureOf(facts: MarketFacts, tone: Tone, counts: (gap: Gap) => boolean): Assessment | undefined {
  const failed = gapsOf(facts).filter((gap) => isLost(gap.outcome) && counts(gap))
  const [newest] = failed
  if (!newest) return undefined
  const { epochId, detail } = newest
  const { gap, advice } = gapWords(newest)
  return {
    tone,
    title: `Epoch ${epochId} ${gap}`,
    detail: [
      sentence(detail),
      failed.length > 1 ? `${plural(failed.length, 'epoch')} in all.` : '',
      tone === 'warn' ? 'Later epochs are well.' : '',
    ]
      .filter(Boolean)
      .join(' '),
    advice,
    epochId,
  }
}

/** Newest first. */
const gapsOf = ({ health, dataMarket }: Pick<MarketFacts, 'health' | 'dataMarket'>): readonly Gap[] =>
  health.markets.find((market) => market.dataMarket === dataMarket)?.stuck ?? []

/** Sooner than the API says `stuck`: a phase takes far longer than it usually does here. */
const slowPhase: Rule = ({ epochs, now }) => {
  const usual = usualPhases(epochs)
  const slow = epochs.filter(isUnderWay).flatMap((epoch) => {
    const phase = currentPhase(phasesOf(epoch, now, usual))
    return phase?.state === 'slow' ? [{ epoch, phase }] : []
  })
  const oldest = slow.at(-1)
  if (!oldest) return undefined
  const { epoch, phase } = oldest
  return {
    tone: 'warn',
    title: `Epoch ${epoch.epochId} is held up: ${PHASE_HELP[phase.phase].stuck}`,
    detail: `${EPOCH_PHASES[phase.phase].name} takes ${duration(phase.ms ?? 0)} so far, usually ${duration(usual[phase.phase] ?? 0)}.${slow.length > 1 ? ` ${plural(slow.length - 1, 'other epoch')} held up too.` : ''}`,
    advice: PHASE_HELP[phase.phase].advice,
    epochId: epoch.epochId,
  }
}

const catchingUp: Rule = ({ health }) =>
  health.view.caughtUp
    ? undefined
    : {
        tone: 'warn',
        title: 'Reading the log',
        detail: `${plural(health.view.lag, 'record')} to go. Until then the pages below show the past.`,
        advice: 'Nothing to do; this ends by itself.',
      }

const chainStill: Rule = ({ health: { chain }, now }) => {
  if (!chain || now - chain.at < BLOCK_MS_MAX) return undefined
  return {
    tone: 'warn',
    title: `No new block for ${duration(now - chain.at)}`,
    detail: `The newest block that was read is ${chain.blockNumber}. Until another comes, no epoch opens, closes or gets final.`,
    advice: 'Check that the chain node answers and makes blocks, and that the role clock runs.',
  }
}

const silent: Rule = ({ epochs, now }) => {
  const releases = epochs.flatMap(({ releasedAt }) => releasedAt ?? [])
  const [newest] = releases
  const usual = median(releases.slice(0, RECENT).flatMap((at, i, all) => (i > 0 ? all[i - 1]! - at : [])))
  if (newest === undefined || usual === undefined) return undefined
  const quiet = now - newest
  if (quiet < Math.max(SILENT_MS_MIN, SILENT_FACTOR * usual)) return undefined
  return {
    tone: 'warn',
    title: `No epoch was released for ${duration(quiet)}`,
    detail: `Usually there is one every ${duration(usual)}.`,
    advice: 'Check that the chain node answers and makes blocks, and that the epoch manager releases epochs.',
  }
}

const retrying: Rule = ({ pending }) => {
  const troubled = pending.find(({ error }) => error !== '')
  if (!troubled) return undefined
  const { epochId, batchIndex, error, attempts } = troubled
  return {
    tone: 'warn',
    title: `${isEnding(troubled) ? 'The ending call' : `Batch ${batchIndex}`} of epoch ${epochId} is tried again`,
    detail: sentence(`Attempt ${attempts}: ${error}`),
    advice: 'It goes on by itself when the cause is gone. See the transaction in the queue below.',
    epochId,
  }
}

const nobodySubmits: Rule = ({ epochs }) => {
  const closed = epochs.filter(({ closedAt }) => closedAt !== null)
  const firstTaken = closed.findIndex(({ submissions }) => submissions > 0)
  const empty = firstTaken < 0 ? closed.length : firstTaken
  if (empty < EMPTY_MIN) return undefined
  return {
    tone: 'warn',
    title: `Nobody submitted for the last ${plural(empty, 'epoch')}`,
    detail: 'Nothing came in from any snapshotter while they were open.',
    advice: 'Check that a process runs the role intake, and that its address can be reached from outside.',
  }
}

const refused: Rule = ({ epochs }) => {
  const totals = new Map<string, number>()
  for (const { reasons, closedAt } of epochs.filter(({ closedAt }) => closedAt !== null).slice(0, 3))
    if (closedAt !== null)
      for (const [reason, n] of Object.entries(reasons)) totals.set(reason, (totals.get(reason) ?? 0) + n)
  const all = sum([...totals.values()])
  const bad = [...totals].filter(([reason]) => !isAccepted(reason as never)).sort(([, a], [, b]) => b - a)
  const share = sum(bad.map(([, n]) => n)) / all
  const [worst] = bad
  if (!worst || share <= REFUSED_SHARE) return undefined
  return {
    tone: 'warn',
    title: `${percent(share)} of the submissions of the last closed epochs were refused`,
    detail: `Most often: ${reasonWords(worst[0])}, ${count(worst[1])} of ${count(all)}.`,
    advice: 'Open an epoch and pick the reason: it lists the slots and what was compared.',
  }
}

const noEpoch: Rule = ({ epochs, health: { chain } }) =>
  epochs.length > 0
    ? undefined
    : {
        tone: 'muted',
        title: 'No epoch yet',
        detail: `Waiting for the contract to release the first one${chain ? `; block ${chain.blockNumber} was read` : ''}.`,
        advice: undefined,
      }

const RULES: readonly Rule[] = [
  roleDown,
  storesWait,
  roleWaits,
  catchingUp,
  logAway,
  roleGone,
  heldBack,
  atDamage,
  stageStill,
  failedLately,
  stuck,
  chainStill,
  storeFails,
  noEpoch,
  slowPhase,
  silent,
  nobodySubmits,
  retrying,
  refused,
  failedBefore,
]

function healthy({ epochs, now }: MarketFacts): Assessment {
  const final = epochs.find(isAnchored)
  const underWay = epochs.filter(isUnderWay).length
  const last = final
    ? `Epoch ${final.epochId} reached the chain${final.finalAt !== null ? ` ${duration(now - final.finalAt)} ago` : ''}`
    : 'No epoch is on the chain yet'
  return {
    tone: 'good',
    title: 'Healthy',
    detail: `${last}; ${underWay === 0 ? 'none is' : underWay === 1 ? 'one is' : `${underWay} are`} under way.`,
    advice: undefined,
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
