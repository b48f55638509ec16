/** The findings of a task in the log when it opens: its positions, whether they mean anything there, and its state. */
import { type KeptPlace, needsIn, placeIn } from './kept-place.ts'
import type { Clock, FetchPosition, Log, TopicPartition } from './ports.ts'
import { type HeldPosition, type Ids, lossOf, nameOf, rowsGone, truncated } from './position-loss.ts'
import type { OnUnreadable } from './read-record.ts'
import { type Restored, restoreTask } from './restore.ts'
import { retried } from './retry.ts'
import type { Task } from './task.ts'
import { sealedBy } from './topology.ts'
import type { Trouble } from './trouble.ts'

/** Between two looks at a changelog that readers cannot read to its end. */
const HELD_BACK_MS = 500

export interface OpeningPorts {
  readonly log: Log
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly group: string
  /** Where the partitions of a global table began when it was read. */
  readonly tableStarts: (name: string) => readonly FetchPosition[]
  /** Told of records in changelogs that are none of ours. */
  readonly tell: OnUnreadable
  /** The condition that it waits for, in words. */
  readonly trouble: Trouble
}

export interface Opening {
  readonly starts: readonly FetchPosition[]
  /** Records of changelogs that were read. */
  readonly restored: number
}

/** An input as it was committed, and as it is. */
interface Input extends HeldPosition {
  /** Whether anything was committed. */
  readonly committed: boolean
  readonly place: KeptPlace | undefined
}

/**
 * Reads on where the group is, with the state of then. The writer must be open: no older writer can add anything any more.
 * @throws PositionLostError when the log is not the one that the positions or the state belong to
 */
export async function openTask(task: Task, ports: OpeningPorts, restored: Restored): Promise<Opening> {
  const { log, clock, signal } = ports
  const topics = [...new Set(task.topics)]
  const ids = await retried(clock, signal, () => log.topicIds(topics))
  const inputs = await retried(clock, signal, () => inputsOf(task, ports))
  for (const input of inputs) {
    const loss = input.place && lossOf(task.stageName, input, input.place.topics, ids)
    if (loss) throw loss
  }
  const { records, starts: changelogs } = await restore(task, ports, restored, inputs)
  const needs = await needsOf(task, ports, changelogs)
  const starts = inputs.map((input) => startOf(task, input, ids))
  await sealOnFromEnds(task, ports)
  task.restsOn(ids, needs)
  return { starts, restored: records }
}

/** No older writer can add a record any more: those of this task are made behind all of theirs. */
async function sealOnFromEnds(task: Task, { log, clock, signal }: OpeningPorts): Promise<void> {
  const partitions = sealedBy(task.stage)
  if (partitions.length === 0) return
  const ends = await retried(clock, signal, () => log.ends(partitions))
  for (const [at, partition] of partitions.entries()) task.seals.begin(partition, ends[at]!)
}

/**
 * The rows that the state rests on, as they were kept, or as they are found where nothing was. Asked for behind the reading of the
 * changelogs: a newer owner may purge at any time, but only what its commit before needs no more.
 * @throws PositionLostError when some of them are gone
 */
async function needsOf(
  task: Task,
  { log, clock, signal, group, tableStarts }: OpeningPorts,
  changelogs: readonly FetchPosition[],
): Promise<ReadonlyMap<string, number>> {
  const inputs = task.stage.sources.map(({ name }) => ({ topic: name, partition: task.partition }))
  const kept = needsIn(await retried(clock, signal, () => log.committedOffsets(group, inputs)))
  const starts = [...changelogs, ...[...task.globalTables].flatMap(tableStarts)]
  const gone = rowsGone(task.stageName, kept, starts)
  if (gone) throw gone
  return new Map(starts.map((at) => [nameOf(at), kept.get(nameOf(at)) ?? at.offset]))
}

/**
 * The group's offset for each input, or where it begins. Bounds are read around it: a newer owner may commit and purge
 * meanwhile, so that what it has processed may be gone, and what it commits may be new.
 */
async function inputsOf({ partition, stage }: Task, { log, group }: OpeningPorts): Promise<Input[]> {
  const at = stage.sources.map(({ name }) => ({ topic: name, partition }))
  const bounds = await log.bounds(at)
  const committed = await log.committedOffsets(group, at)
  const ends = await log.ends(at)
  return at.map((input, i) => {
    const { start } = bounds[i]!
    const found = committed[i]
    const place = placeIn(found?.metadata)
    return { ...input, start, end: ends[i]!, offset: found?.next ?? start, committed: found !== undefined, place }
  })
}

/** Folds the changelogs into the stores, if they still have what was written. */
async function restore(task: Task, ports: OpeningPorts, known: Restored, inputs: readonly Input[]) {
  const { log, clock, signal, tell } = ports
  const written = new Map(known)
  for (const { place } of inputs)
    for (const [changelog, end] of Object.entries(place?.ends ?? {}))
      written.set(changelog, Math.max(end, written.get(changelog) ?? 0))
  await untilReadable(task, ports, written)
  let left = known
  return retried(clock, signal, () => {
    const restored = left
    left = NOTHING // an opening that fails half way begins anew
    return restoreTask(task, restored, { log, clock, signal }, tell)
  })
}

/**
 * Waits, without end, until readers see the changelogs to the ends that they have now: a transaction that somebody else leaves
 * open hides what lies behind its beginning, and the state without it would be another.
 */
async function untilReadable(
  { partition, changelogs, stageName }: Task,
  { log, clock, signal, trouble }: OpeningPorts,
  written: Restored,
): Promise<void> {
  const places = changelogs.map(({ changelog }) => ({ topic: changelog, partition }))
  const ends = await retried(clock, signal, () => log.ends(places))
  for (const [at, place] of places.entries()) expectWhole(stageName, place, ends[at]!, written)
  while (!signal.aborted) {
    const bounds = await retried(clock, signal, () => log.bounds(places))
    const short = bounds.findIndex(({ stable }, at) => stable < ends[at]!)
    if (short < 0) return trouble.over()
    trouble.met(
      `${nameOf(places[short]!)} can be read up to offset ${bounds[short]!.stable} only, and ends at ${ends[short]}: ` +
        'a transaction of somebody else is open',
    )
    await clock.sleep(HELD_BACK_MS, signal)
  }
}

/** @throws when the log has lost records of a changelog that were written */
function expectWhole(stageName: string, place: TopicPartition, end: number, written: Restored): void {
  const offset = written.get(place.topic) ?? 0
  if (offset > end) throw truncated(stageName, { ...place, offset }, end)
}

/** An old broker may answer a stale offset of the group; the one in the changelog came with the state itself. */
function startOf(task: Task, input: Input, ids: Ids): FetchPosition {
  const { topic, partition, place, committed } = input
  const { engine, stageName } = task
  const logged = engine?.offsets?.[topic] ?? 0
  const offset = Math.max(input.offset, logged)
  const at = { ...input, offset }
  const isLogged = engine !== undefined && (logged > input.offset || (logged > 0 && !committed))
  const loss = isLogged ? lossOf(stageName, at, engine.topicIds, ids) : lossOf(stageName, at, {}, ids)
  if (loss) throw loss
  // Both were written in one transaction, unless another tool has moved the offset: then it says nothing of the changelog.
  if (engine && place && input.offset > logged && engine.changelog in place.topics)
    throw truncated(stageName, { topic: engine.changelog, partition, offset: input.offset }, engine.end)
  return { topic, partition, offset }
}

const NOTHING: Restored = new Map()
