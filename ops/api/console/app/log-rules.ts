/** Judgements from the log about the stages, wherever they run. */
import { duration, listing, plural } from './format.ts'
import type { Rule } from './rule.ts'

/** Committing takes less, also on a busy machine. */
export const STILL_MS = 20_000

/** A stage of any process: the log shows that records wait for it, and that nobody takes them. */
export const stageStill: Rule = ({ health, now }) => {
  const still = Object.entries(health.stages).flatMap(([stage, { behind, stillSince }]) =>
    stillSince !== null && now - stillSince >= STILL_MS ? [{ stage, behind, ms: now - stillSince }] : [],
  )
  const [first] = still
  if (!first) return undefined
  return {
    tone: 'bad',
    title: `Standing still: ${listing(still.map(({ stage }) => stage))}`,
    detail: `${plural(first.behind, 'record')} wait for ${first.stage}; nothing was taken for ${duration(first.ms)}.`,
    advice: `Start a process with the role ${first.stage}; if one runs, its /readyz says what it waits for. \`sequencer doctor\` says which.`,
  }
}

/** A stage of any process, too: a stage may miss nothing, so it waits where the log does not hold the written records. */
export const atDamage: Rule = ({ health }) => {
  const waiting = Object.entries(health.stages).flatMap(([stage, { waitsAt }]) =>
    waitsAt === null ? [] : [{ stage, waitsAt }],
  )
  const [first] = waiting
  if (!first) return undefined
  return {
    tone: 'bad',
    title: `Waiting at a damaged batch: ${listing(waiting.map(({ stage }) => stage))}`,
    detail: `${first.waitsAt}.`,
    advice:
      'Let another replica lead: mostly it has the batch, and the stage goes on by itself. "A damaged batch" in docs/operations.md says what to do when none has it.',
  }
}

/** Readers see nothing of what is written behind a transaction that stays open: every lag looks small, and epochs stop. */
export const heldBack: Rule = ({ health, now }) => {
  const [first] = health.heldBack.toSorted((a, b) => a.since - b.since)
  if (!first) return undefined
  const { topic, partition, records, since } = first
  return {
    tone: 'bad',
    title: `A transaction is left open in ${topic}/${partition}`,
    detail: `Nobody reads on there for ${duration(now - since)}; ${plural(records, 'record')} wait behind it.`,
    advice: '`sequencer doctor` names the transaction, and says how to end it. Nothing is lost.',
  }
}

export const logAway: Rule = ({ health: { stages } }) =>
  Object.keys(stages).length > 0
    ? undefined
    : {
        tone: 'bad',
        title: 'The log does not answer',
        detail: 'Nothing goes on meanwhile, and the pages below show how it was. No acknowledged submission is lost.',
        advice:
          'Look at the brokers, and at the network between: `sequencer doctor`. All of it goes on by itself then.',
      }
