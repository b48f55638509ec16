/**
 * I8: nobody is hurt by the adversary. The stages are run once more, by themselves, over the same log without its records:
 * the same markers, and the same honest records in the same places. What the honest get must be the same.
 */
import type { Batch, ProjectFinalization, SlotDay, Submission, Verdict } from '../../schemas/types.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'
import { TopologyTestDriver } from '../../streams/test-driver.ts'
import { sequencerTopology } from '../../topology/index.ts'
import { tieBreaker } from '../../topology/shared/signature.ts'
import type { Stores } from '../../topology/stores.ts'
import { epochScope, isEpochSummary, isMarker, type SubmissionEvent, type Topics } from '../../topology/topics.ts'
import { NO_ROOM_RULE } from '../../topology/validate/validate.ts'
import { messageOf } from './adversary.ts'
import { BEGIN_MS, BLOCK_MS } from './chain-story.ts'
import { SEALED_TOPICS } from './plot.ts'
import { attackOf, groupBy, readPartition } from './reading.ts'
import type { Script } from './script.ts'

interface Sent {
  /** Partition and offset. */
  readonly place: string
  readonly submission: Submission
  /** Of the adversary's. */
  readonly attack: string | undefined
}

export interface Outcome {
  /** By place. */
  readonly verdicts: ReadonlyMap<string, Verdict>
  /** First parts, by market, epoch and project. */
  readonly projects: ReadonlyMap<string, ProjectFinalization>
  /** First records, by market and epoch. */
  readonly batches: ReadonlyMap<string, readonly Batch[]>
  /** By market, slot and day. */
  readonly slotDays: ReadonlyMap<string, Pick<SlotDay, 'accepted' | 'counted'>>
}

/** What lies in the log when a run is over. */
export interface Played {
  readonly sent: readonly Sent[]
  /** Records of the adversary's that are neither submissions nor markers of tick-fanout. */
  readonly unreadable: number
  /** Hashes of closing blocks, by market and epoch. */
  readonly closes: ReadonlyMap<string, string>
  /** When the last release of each was, in ms, by market and epoch. */
  readonly releases: ReadonlyMap<string, number>
  /** When the block of its first release was made, in ms, by market and epoch; the clock may have found it later. */
  readonly firstReleases: ReadonlyMap<string, number>
  readonly outcome: Outcome
}

export async function readRun(log: Log, topics: Topics): Promise<Played> {
  const { submissions } = topics
  const sent: Sent[] = []
  const closes = new Map<string, string>()
  const releases = new Map<string, number>()
  const firstReleases = new Map<string, number>()
  let unreadable = 0
  for (let partition = 0; partition < submissions.partitions; partition++)
    for (const record of await readPartition(log, { topic: submissions.name, partition })) {
      const attack = attackOf(record)
      const event = eventOf(topics, record)
      if (event === null) continue
      const isForeign = event === undefined || (isMarker(event) && attack !== undefined)
      if (isForeign) unreadable++
      else if (!isMarker(event)) sent.push({ place: `${partition}/${record.offset}`, submission: event, attack })
      else if (event.tick.kind === 'CLOSE')
        closes.set(epochScope(event.tick.dataMarket, event.tick.epochId), event.tick.blockHash)
      else if (event.tick.kind === 'OPEN') {
        const { dataMarket, epochId, releaseBlock, blockTimestamp } = event.tick
        const scope = epochScope(dataMarket, epochId)
        releases.set(scope, blockTimestamp * 1000)
        const releasedAt = BEGIN_MS + releaseBlock * BLOCK_MS
        firstReleases.set(scope, Math.min(releasedAt, firstReleases.get(scope) ?? releasedAt))
      }
    }
  for (const name of SEALED_TOPICS)
    for (const record of await readPartition(log, { topic: topics[name].name, partition: 0 }))
      if (attackOf(record) !== undefined) unreadable++
  const read = async (topic: { readonly name: string; readonly partitions: number }) => {
    const records: LogRecord[] = []
    for (let partition = 0; partition < topic.partitions; partition++)
      for (const record of await readPartition(log, { topic: topic.name, partition }))
        if (attackOf(record) === undefined) records.push(record)
    return records
  }
  const outcome = outcomeOf(topics, {
    verdicts: await read(topics.verdicts),
    finalizations: await read(topics.finalizations),
    batches: await read(topics.batches),
    slotDays: await read(topics.slotDays),
  })
  return { sent, unreadable, closes, releases, firstReleases, outcome }
}

/** Undefined when nobody can read it, null when it is a tombstone. */
function eventOf({ submissions }: Topics, { key, value }: LogRecord): SubmissionEvent | null | undefined {
  if (key === null) return undefined
  try {
    submissions.key.decode(key)
    return value && submissions.value.decode(value)
  } catch {
    return undefined
  }
}

type Records = Readonly<Record<'verdicts' | 'finalizations' | 'batches' | 'slotDays', readonly LogRecord[]>>

function outcomeOf(topics: Topics, { verdicts, finalizations, batches, slotDays }: Records): Outcome {
  const byScope = new Map<string, Batch[]>()
  for (const { key, value } of batches) {
    const batch = topics.batches.value.decode(value!)
    if (isEpochSummary(batch) || batch.part > 0) continue
    const scope = epochScope(topics.batches.key.decode(key!).dataMarket, batch.epochId)
    byScope.set(scope, [...(byScope.get(scope) ?? []), batch])
  }
  return {
    batches: byScope,
    slotDays: new Map(
      slotDays.map(({ key, value }) => {
        const { dataMarket, slotId, day } = topics.slotDays.key.decode(key!)
        return [`${dataMarket}/${slotId}/${day}`, topics.slotDays.value.decode(value!)]
      }),
    ),
    verdicts: new Map(
      verdicts.map(({ value }) => {
        const verdict = topics.verdicts.value.decode(value!)
        return [`${verdict.position.partition}/${verdict.position.offset}`, verdict]
      }),
    ),
    projects: new Map(
      finalizations.flatMap(({ key, value }) => {
        const project = topics.finalizations.value.decode(value!)
        if (isMarker(project) || project.part > 0) return []
        const { dataMarket, epochId } = topics.finalizations.key.decode(key!)
        return [[`${epochScope(dataMarket, epochId)}/${project.projectId}`, project] as const]
      }),
    ),
  }
}

/** Everything again, without the adversary. */
export async function runWithout(log: Log, topics: Topics, stores: Stores, { rules }: Script): Promise<Outcome> {
  const driver = new TopologyTestDriver(sequencerTopology(rules, topics, stores))
  const { slots, submissions } = topics
  for (const { key, value } of await readPartition(log, { topic: slots.name, partition: 0 }))
    driver.append(slots, slots.key.decode(key!), slots.value.decode(value!))
  for (let partition = 0; partition < submissions.partitions; partition++)
    for (const record of await readPartition(log, { topic: submissions.name, partition }))
      if (attackOf(record) === undefined) driver.appendAt(submissions.name, partition, record)
  driver.run()
  const read = ({ name }: { readonly name: string }): readonly LogRecord[] => driver.readRaw(name)
  return outcomeOf(topics, {
    verdicts: read(topics.verdicts),
    finalizations: read(topics.finalizations),
    batches: read(topics.batches),
    slotDays: read(topics.slotDays),
  })
}

/** Submissions for epochs that the story does not have: they wait when it ends. */
export const waitingForEver = ({ sent, outcome }: Played, newestEpoch: number): number =>
  sent.filter(
    ({ place, submission, attack }) => attack && submission.epochId > newestEpoch && !outcome.verdicts.has(place),
  ).length

const TOO_EARLY: readonly (string | undefined)[] = ['EPOCH_TOO_FAR', 'EPOCH_NOT_OPEN']

/** @returns one of the honest that came when its epoch was released, and was refused as early all the same */
export function refusedInWindow({ sent, releases, outcome }: Played): string | undefined {
  for (const { place, submission, attack } of sent) {
    const verdict = outcome.verdicts.get(place)
    const released = releases.get(scopeOf(submission)) ?? Number.POSITIVE_INFINITY
    if (attack || submission.receivedAt < released || !TOO_EARLY.includes(verdict?.reason)) continue
    if (verdict!.rule !== NO_ROOM_RULE)
      return `submissions ${place} is ${verdict!.reason}, though it came after the release`
  }
  return undefined
}

/** @param skewMs `clockSkewSeconds` of the market @returns what the adversary did to somebody; undefined when nothing */
export function disturbance(played: Played, without: Outcome, skewMs: number): string | undefined {
  const { sent, outcome } = played
  const honest = sent.filter(({ attack }) => attack === undefined)
  const signed = new Set(honest.map(({ submission }) => signedOf(submission)))
  /** Who delivers what others signed lets them say it earlier: of such a message only what becomes of it is compared. */
  const delivered = new Set(
    sent.filter(({ attack, submission }) => attack && signed.has(signedOf(submission))).map(messageIn),
  )
  const isRefusedRoom = ({ place }: Sent) =>
    [outcome, without].some(({ verdicts }) => verdicts.get(place)?.rule === NO_ROOM_RULE)
  /**
   * Who does not have the slot that it signs for shares a room with all such, and before the first block everybody does. What
   * found no room there does not wait either, so its owner has room for a later epoch.
   */
  const excused = new Set(honest.filter(isRefusedRoom).map(slotIn))
  const before = new Set(honest.filter((one) => votes(without, one)).map(messageIn))
  /** Projects with votes of the adversary's, or with such as it has delivered. */
  const contested = new Set(sent.filter((one) => votes(outcome, one) && !before.has(messageIn(one))).map(projectIn))
  const crowded = crowdedOut(played, signed, skewMs)
  for (const one of honest) if (excused.has(slotIn(one)) || crowded.has(ownerIn(one))) contested.add(projectIn(one))
  const given = givenMore(played, without, delivered)
  for (const one of honest) {
    const [mine, theirs] = [without.verdicts.get(one.place)?.reason, outcome.verdicts.get(one.place)?.reason]
    if (mine === theirs || excused.has(slotIn(one)) || crowded.has(ownerIn(one))) continue
    if (delivered.has(messageIn(one)) || given.has(one.place)) continue
    if (votes(without, one) && votes(outcome, one) && contested.has(projectIn(one))) continue
    return `submissions ${one.place} is ${theirs}, without the adversary ${mine}`
  }
  const heard = new Set(sent.filter((one) => votes(outcome, one)).map(messageIn))
  for (const one of honest)
    if (votes(without, one) && !heard.has(messageIn(one)) && !excused.has(slotIn(one)) && !crowded.has(ownerIn(one)))
      return `the vote of submissions ${one.place} is lost: ${fates(played, one).join()}`
  return (
    wrongWinner(played, without, { signed, delivered, excused, given, crowded }) ??
    wrongDay(played, without, { delivered, excused, crowded, contested })
  )
}

/**
 * Owners, with the epoch, that found no place. Before the release of an epoch, an owner has room only for what can have been released
 * until then (decision 0031). Who signs for it all the same, and for a nearer epoch that does not wait yet, lets the order of arrival
 * decide; a copy of the nearer one that is delivered sooner decides it. From the release on, less what clocks may differ by, nothing excuses.
 */
function crowdedOut(
  { sent, firstReleases, outcome }: Played,
  signed: ReadonlySet<string>,
  skewMs: number,
): ReadonlySet<string> {
  const nearer = sent.filter(({ attack, submission }) => attack && signed.has(signedOf(submission)))
  const isEarly = ({ submission }: Sent): boolean =>
    submission.receivedAt + skewMs < (firstReleases.get(scopeOf(submission)) ?? Number.POSITIVE_INFINITY)
  const isSooner = (copy: Sent): boolean =>
    sent.every((own) => own.attack || messageIn(own) !== messageIn(copy) || isBefore(copy, own))
  const isCrowded = (one: Sent): boolean =>
    one.attack === undefined &&
    outcome.verdicts.get(one.place)?.reason === 'EPOCH_TOO_FAR' &&
    isEarly(one) &&
    nearer.some(
      (copy) =>
        slotIn(copy) === slotIn(one) &&
        copy.submission.epochId < one.submission.epochId &&
        partitionOf(copy) === partitionOf(one) &&
        isSooner(copy),
    )
  return new Set(sent.filter(isCrowded).map(ownerIn))
}

/**
 * Every honest slot has as much of each day as without the adversary: of accepted votes as many, and as many that count where no
 * vote of the adversary's is. It may have more when the adversary has delivered for it, and less by what found no place.
 */
function wrongDay(
  { sent, outcome }: Played,
  without: Outcome,
  {
    delivered,
    excused,
    crowded,
    contested,
  }: Pick<Known, 'delivered' | 'excused' | 'crowded'> & { readonly contested: ReadonlySet<string> },
): string | undefined {
  const honest = groupBy(
    sent.filter(({ attack }) => attack === undefined),
    slotIn,
  )
  const helped = new Set(sent.filter((one) => delivered.has(messageIn(one))).map(slotIn))
  for (const name of new Set([...without.slotDays.keys(), ...outcome.slotDays.keys()])) {
    const slot = name.split('/').slice(0, 2).join('/')
    const own = honest.get(slot)
    if (!own || excused.has(slot)) continue
    const [mine, theirs] = [without, outcome].map(({ slotDays }) => slotDays.get(name) ?? { accepted: 0, counted: 0 })
    const left = own.filter((one) => crowded.has(ownerIn(one)) && votes(without, one)).length
    const isOther = (a: number, b: number): boolean => a < b - left || (a > b && !helped.has(slot))
    const isContested = own.some((one) => contested.has(projectIn(one)))
    if (isOther(theirs!.accepted, mine!.accepted) || (!isContested && isOther(theirs!.counted, mine!.counted)))
      return `${name} (market, slot, day) has ${daysText(theirs!)}, without the adversary ${daysText(mine!)}`
  }
  return undefined
}

const daysText = ({ accepted, counted }: Pick<SlotDay, 'accepted' | 'counted'>): string =>
  `${accepted} accepted and ${counted} counted`

/**
 * Votes that were too early without the adversary and stand with it: copies that it delivered later count as later arrivals,
 * and so give their owner room for more epochs (decision 0031). An owner may get more by that, and less only before the release
 * (`crowdedOut`).
 */
function givenMore({ sent, outcome }: Played, without: Outcome, delivered: ReadonlySet<string>): ReadonlySet<string> {
  const owners = new Set(sent.filter((one) => delivered.has(messageIn(one))).map(slotIn))
  const isGiven = (one: Sent): boolean =>
    owners.has(slotIn(one)) && votes(outcome, one) && TOO_EARLY.includes(without.verdicts.get(one.place)?.reason)
  return new Set(sent.filter((one) => one.attack === undefined && isGiven(one)).map(({ place }) => place))
}

interface Known {
  readonly signed: ReadonlySet<string>
  readonly delivered: ReadonlySet<string>
  readonly excused: ReadonlySet<string>
  readonly given: ReadonlySet<string>
  /** By `ownerIn`. */
  readonly crowded: ReadonlySet<string>
}

/** Every project has the CID that the standing votes give it, counted plainly: one vote a slot, and of no other slots. */
function wrongWinner(
  { sent, closes, outcome }: Played,
  without: Outcome,
  { signed, delivered, excused, given, crowded }: Known,
): string | undefined {
  const lacking = new Set(sent.filter((one) => !one.attack && crowded.has(ownerIn(one))).map(projectIn))
  const standing = groupBy(
    sent.filter((one) => votes(outcome, one)),
    projectIn,
  )
  for (const [project, ballots] of standing) {
    const cids = new Map(ballots.map(({ submission }) => [submission.slotId, submission.snapshotCid]))
    if (cids.size !== ballots.length) return `${project}: a slot has two votes`
    const counts = new Map<string, number>()
    for (const cid of cids.values()) counts.set(cid, (counts.get(cid) ?? 0) + 1)
    const closeBlock = closes.get(project.split('/').slice(0, 2).join('/'))!
    const rank = (cid: string) => Buffer.from(tieBreaker(closeBlock, cid)).toString('hex')
    const [winner] = [...counts].sort(([a, m], [b, n]) => n - m || (rank(a) < rank(b) ? -1 : 1))[0]!
    const found = outcome.projects.get(project)?.snapshotCid
    if (found !== winner) return `${project} has the CID ${found}, most votes are for ${winner}`
    const isUntouched = ballots.every(
      (one) =>
        signed.has(signedOf(one.submission)) &&
        !delivered.has(messageIn(one)) &&
        !excused.has(slotIn(one)) &&
        !given.has(one.place),
    )
    const before = without.projects.get(project)?.snapshotCid
    if (isUntouched && excused.size === 0 && !lacking.has(project) && found !== before)
      return `${project} has the CID ${found}, without the adversary ${before}`
  }
  return undefined
}

const VOTES: readonly (string | undefined)[] = ['COUNTED', 'OUTVOTED']
const votes = ({ verdicts }: Outcome, { place }: Sent): boolean => VOTES.includes(verdicts.get(place)?.reason)
const signedOf = (submission: Submission): string => `${messageOf(submission)} ${submission.signature.toLowerCase()}`
const messageIn = ({ submission }: Sent): string => messageOf(submission)
const scopeOf = ({ dataMarket, epochId }: Submission): string => epochScope(dataMarket.toLowerCase(), epochId)
const projectIn = ({ submission }: Sent): string => `${scopeOf(submission)}/${submission.projectId}`
const slotIn = ({ submission }: Sent): string => `${submission.dataMarket.toLowerCase()}/${submission.slotId}`
const ownerIn = (one: Sent): string => `${slotIn(one)}/${one.submission.epochId}`
const partitionOf = ({ place }: Sent): string => place.split('/')[0]!
const isBefore = (one: Sent, other: Sent): boolean =>
  partitionOf(one) === partitionOf(other) && Number(one.place.split('/')[1]) < Number(other.place.split('/')[1])

/** What became of a message, wherever it lies. */
const fates = ({ sent, outcome }: Played, one: Sent): string[] =>
  sent
    .filter((other) => messageIn(other) === messageIn(one))
    .map(({ place, attack }) => `${outcome.verdicts.get(place)?.reason} at ${place}${attack ? ` (${attack})` : ''}`)
