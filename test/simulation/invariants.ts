/** What must hold at the end of a simulated run (docs/simulation.md). */
import { auditLog } from '../../ops/check/audit/audit.ts'
import type { AuditReport, Difference } from '../../ops/check/audit/report.ts'
import { END_OF_BATCHES, isEnding, isNonceOnly } from '../../schemas/anchor-keys.ts'
import type { Anchor, AnchorKey } from '../../schemas/types.ts'
import type { Log } from '../../streams/ports.ts'
import { createStateStore } from '../../streams/state.ts'
import type { ScopedStore } from '../../streams/store.ts'
import { changelogTopic } from '../../streams/topology.ts'
import type { Stores } from '../../topology/stores.ts'
import { isEpochSummary, isMarker, type Topics } from '../../topology/topics.ts'
import type { AnchorChain } from './anchor-chain.ts'
import { anchoringReached, boundsReached } from './bounds.ts'
import { wrongDays } from './day-invariants.ts'
import type { PayChain } from './pay-chain.ts'
import { readAll, readPartition, readSubmissions } from './reading.ts'
import type { Script } from './script.ts'
import type { TrueChain } from './true-chain.ts'
import { canonicalTicks, untrue, writtenTicks } from './true-invariants.ts'
import { disturbance, readRun, refusedInWindow, runWithout, waitingForEver } from './undisturbed.ts'

/** Of the consumer groups and changelogs. */
export const APP_ID = 'sequencer'

export interface Run {
  readonly topics: Topics
  readonly stores: Stores
  readonly script: Script
  readonly chain: AnchorChain
  readonly pay: PayChain
  /** What a real clock read, in some runs. */
  readonly world: TrueChain | undefined
}

/**
 * I1 and I2 by the audit (a second implementation of the rules), I4 to I7 and I9 to I12 by looking, I8 by a run without the
 * adversary.
 */
export async function checkInvariants(seed: number, log: Log, run: Run) {
  const { topics, stores, script, chain, world } = run
  const fail = (what: string): never => {
    throw new Error(`seed ${seed}: ${what}`)
  }
  const played = await readRun(log, topics)
  const report = await auditLog(log, { topics, rules: script.rules, appId: APP_ID })
  const { lost, duplicated, skipped, pending } = report
  const ofRivals = report.differences.filter((difference) => isNumberOfRival(difference, run))
  const ofSetDays = report.differences.filter((difference) => isOfSetDay(difference, run))
  const mismatches = report.mismatches - played.unreadable - ofRivals.length
  const rows = (await readAll(log, topics.anchors)).map(({ key, value }) => ({ key, row: value }))
  const refusedForRival = endedByRival(rows, chain)
  // The adversary can write what nobody can read, and for epochs that never come; the audit says so, and nothing else.
  const isOther = (difference: Difference) =>
    difference.kind === 'mismatches' && !isUnreadable(difference) && !ofRivals.includes(difference)
  const isSound =
    lost + duplicated + (skipped - refusedForRival.length - ofSetDays.length) + mismatches === 0 &&
    pending === waitingForEver(played, script.ids.at(-1)!)
  if (!isSound || report.differences.some(isOther)) fail(`audit: ${describe(report)}`)

  const told = world ? await writtenTicks(log, topics) : script.ticks
  const ticks = told.map((tick) =>
    topics.submissions.markers!.idOf({ tick, from: 0, of: 1, count: 0, checksum: 0, blockTimes: [] }),
  )
  const submissions = await readSubmissions(log, topics)
  for (let partition = 0; partition < topics.submissions.partitions; partition++) {
    const ids = submissions
      .filter((record) => record.partition === partition)
      .flatMap(({ value }) => (isMarker(value) ? [topics.submissions.markers!.idOf(value)] : []))
    const at = ids.findIndex((id, i) => id !== ticks[i])
    if (at >= 0 || ids.length !== ticks.length)
      fail(`I4: partition ${partition} has ${ids.length} markers of ${ticks.length} ticks; ${ids[at]} for ${ticks[at]}`)
  }
  const nonces = new Map<number, string>()
  const intents = await readAll(log, topics.anchorIntents)
  for (const { key, value } of intents) {
    if (value.step !== 'SEND') continue
    if (isNonceOnly(key) && value.call !== 'FILL') fail(`I5: a nonce without a batch is no filler: ${value.nonce}`)
    if (isNonceOnly(key)) continue // a transaction to oneself may take the place of any
    const content = `${key.dataMarket}/${key.epochId}/${key.batchIndex}`
    if ((nonces.get(value.nonce) ?? content) !== content)
      fail(`I5: nonce ${value.nonce} was approved for ${nonces.get(value.nonce)} and ${content}`)
    nonces.set(value.nonce, content)
  }
  const batches = await readAll(log, topics.batches)
  const summaries = batches.flatMap(({ key, value }) =>
    isEpochSummary(value) ? [`${key.dataMarket}/${value.summaryOf}`] : [],
  )
  if (summaries.toSorted().join() !== script.epochs.join()) fail(`I6: epochs batched: ${summaries.join()}`)
  const anchored = [...chain.contents(), ...refusedForRival]
  const due = batches.flatMap(({ key: { dataMarket }, value }) => {
    // Which of two sequencers ends an epoch is all the same.
    if (isEpochSummary(value) && chain.endedByRival.has(`${dataMarket}/${value.summaryOf}`)) return []
    if (isEpochSummary(value)) return [`${dataMarket}/${value.summaryOf}/${END_OF_BATCHES}`]
    return value.part === 0 ? [`${dataMarket}/${value.epochId}/${value.batchIndex}`] : []
  })
  if (anchored.toSorted().join() !== due.toSorted().join())
    fail(`I6: on the chain are ${anchored.join(' ')}; batched were ${due.join(' ')}`)
  const left = await stateLeft(log, stores, script.ids.at(-1)!)
  if (left.length > 0) fail(`I7: state of closed epochs is left: ${left.join()}`)
  const refused = refusedInWindow(played)
  if (refused) fail(`I9: ${refused}`)
  const wrong = world && (await untrue(log, topics, world, script.play!.words, report.epochsPassedOver))
  if (wrong) fail(wrong)
  const wrongDay = await wrongDays(log, run, canonicalTicks(told))
  if (wrongDay) fail(`I12: ${wrongDay}`)
  if (script.hostile.length > 0) {
    const without = await runWithout(log, topics, stores, script)
    const disturbed = disturbance(played, without, script.rules.markets[0]!.clockSkewSeconds * 1_000)
    if (disturbed) fail(`I8: ${disturbed}`)
  }
  const reached = { ...boundsReached(played, script.rules), ...anchoringReached(intents, rows) }
  return { batches: batches.length - summaries.length, reached }
}

/** Batches that the contract does not take any more since another sequencer has ended their epoch: the row says so. */
function endedByRival(
  rows: readonly { readonly key: AnchorKey; readonly row: Anchor }[],
  chain: AnchorChain,
): string[] {
  const newest = new Map(rows.map((one) => [`${one.key.dataMarket}/${one.key.epochId}/${one.key.batchIndex}`, one]))
  return [...newest].flatMap(([content, { key, row }]) => {
    const isRivals = chain.endedByRival.has(`${key.dataMarket}/${key.epochId}`)
    return isRivals && !isEnding(key) && row.state === 'FAILED' && row.error === 'E43' ? [content] : []
  })
}

/** Another sequencer has closed the day with a number of its own; the audit tells of it, since the log alone does not explain the number. */
function isNumberOfRival({ kind, where, message }: Difference, { pay }: Run): boolean {
  const [, day, dataMarket] = /^day (\d+) of (0x\w+)$/.exec(where) ?? []
  if (kind !== 'mismatches' || dataMarket === undefined || !message.startsWith('eligible nodes: ')) return false
  return pay.hasRivalIn(dataMarket, Number(day))
}

/** The owner has set the counter two days on, or released an epoch once more: no epoch was opened since then that tells the audit so. */
function isOfSetDay({ kind, where, message }: Difference, { pay }: Run): boolean {
  const day = Number(/^day (\d+) of 0x\w+, payout/.exec(where)?.[1])
  return kind === 'skipped' && message.includes('UNPAID for good: E38, though') && pay.days.settledDay() > day + 1
}

const epochOf = (scope: string): number => Number(scope.split('/')[1])

/** What a task would restore of epochs that are over: `changelog/partition scope`. The anchor still watches its own. */
async function stateLeft(log: Log, stores: Stores, newestEpoch: number): Promise<string[]> {
  const { parked, slotQuota, votes, projects, ledger } = stores
  const left: string[] = []
  for (const builder of [parked, slotQuota, votes, projects, ledger.tallies]) {
    const topic = changelogTopic(APP_ID, builder.name)
    for (let partition = 0; partition < (await log.partitionCount(topic)); partition++) {
      const store = createStateStore(builder, topic)
      for (const record of await readPartition(log, { topic, partition })) store.restore(record)
      const { scopes } = store as unknown as ScopedStore<unknown>
      for (const scope of scopes.call(store))
        if (epochOf(scope) <= newestEpoch) left.push(`${topic}/${partition} ${scope}`)
    }
  }
  return left
}

const isUnreadable = ({ message }: Difference): boolean => message.startsWith('it cannot be read')

/** The counts that are not zero, and the first difference of each kind. */
function describe({ lost, duplicated, skipped, mismatches, pending, differences }: AuditReport): string {
  const counts = Object.entries({ lost, duplicated, skipped, mismatches, pending }).filter(([, count]) => count > 0)
  const firsts = counts.flatMap(
    ([kind]) => differences.find((difference) => difference.kind === kind && !isUnreadable(difference)) ?? [],
  )
  return [
    counts.map(([name, count]) => `${count} ${name}`).join(', '),
    ...firsts.map(({ where, message }) => `${where}: ${message}`),
  ].join('; ')
}
