/** Starts the clock on a scripted chain and a log in memory, and holds what it wrote against the chain. */
import { expect } from 'vitest'
import { type RunningClock, startClock } from '../../../../connectors/evm/clock/clock.ts'
import type { ClockOptions } from '../../../../connectors/evm/clock/clock-options.ts'
import type { ClockTopics } from '../../../../connectors/evm/clock/tick-log.ts'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type { EpochTick, SlotOwner } from '../../../../schemas/types.ts'
import type { Log, LogRecord } from '../../../../streams/ports.ts'
import { readRecords } from '../../../../streams/read-record.ts'
import { faultOf } from '../../../../topology/tick-fanout/tick-fault.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { ownerAsOf } from '../../../../topology/validate/ownership.ts'
import { CHAIN_ID, epochRange, MARKET, PROTOCOL_STATE, type ScriptedChain } from '../scripted-chain.ts'

export const APP_ID = 'test'

export async function clockTopics(): Promise<ClockTopics> {
  const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
  return sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
}

export interface ClockRun extends RunningClock {
  /** Resolves when the block has ticks; rejects when the role ends before. */
  reached(block: number): Promise<void>
  /** Resolves when so many ticks of the kind were written by this run. */
  wrote(kind: EpochTick['kind'], ticks: number): Promise<void>
  /** Resolves after the next failed step. */
  failed(): Promise<unknown>
}

export async function runClock(
  log: Log,
  topics: ClockTopics,
  nodes: readonly Endpoint[],
  options: Partial<ClockOptions> = {},
): Promise<ClockRun> {
  const waiting = new Set<() => boolean>()
  const notify = (): void => {
    for (const check of waiting) if (check()) waiting.delete(check)
  }
  let cursor = -1
  let failures: unknown[] = []
  const written: EpochTick['kind'][] = []
  const clock = await startClock(
    {
      appId: APP_ID,
      topics,
      urls: nodes.map((_, i) => `node ${i}`),
      chainId: CHAIN_ID,
      protocolState: PROTOCOL_STATE,
      markets: [{ dataMarket: MARKET, windowUnit: 'blocks' }],
      startBlock: 0,
      depth: 0,
      pollMs: 1,
      backoffMsMax: 4,
      timeoutMs: 250,
      ...options,
      observer: {
        ...options.observer,
        advanced: (progress) => {
          cursor = progress.cursor
          options.observer?.advanced?.(progress)
          notify()
        },
        wrote: (kind, ticks) => {
          for (let i = 0; i < ticks; i++) written.push(kind)
          options.observer?.wrote?.(kind, ticks)
          notify()
        },
        failed: (error, retryInMs) => {
          failures.push(error)
          options.observer?.failed?.(error, retryInMs)
          notify()
        },
      },
    },
    { log, clock: systemClock, connect: (url) => nodes[Number(url.split(' ')[1])]! },
  )
  const until = (holds: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      waiting.add(() => {
        if (holds()) resolve()
        return holds()
      })
      void clock.stopped.then((error) => reject(error ?? new Error('the clock was closed')))
      notify()
    })
  return {
    ...clock,
    reached: (block) => until(() => cursor === block),
    wrote: (kind, ticks) => until(() => written.filter((one) => one === kind).length === ticks),
    failed: async () => {
      failures = []
      await until(() => failures.length > 0)
      return failures[0]
    },
  }
}

export async function readTopic(log: Log, topic: string): Promise<LogRecord[]> {
  const [bounds] = await log.bounds([{ topic, partition: 0 }])
  const records: LogRecord[] = []
  for (let offset = bounds!.start; offset < bounds!.stable; ) {
    const [got] = await log.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1 << 22 })
    records.push(...got!.records)
    offset = got!.next
  }
  return records
}

/** Without what is none. Checks that tick-fanout takes each for one that can be true. */
export const readTicks = async (log: Log, { epochTicks }: ClockTopics): Promise<EpochTick[]> => {
  const read = [...readRecords(epochTicks, 0, await readTopic(log, epochTicks.name), () => {})]
  for (const { key, value } of read) expect(faultOf(key, value!)).toBeUndefined()
  return read.map(({ value }) => value!)
}

/** The ticks of the chain as it ended: those of orphaned blocks are taken out. Checks that each block follows its parent. */
export function canonical(ticks: readonly EpochTick[]): EpochTick[] {
  const chain: EpochTick[] = []
  for (const tick of ticks) {
    if (tick.kind === 'ORPHAN') {
      while (chain.length > 0 && chain.at(-1)!.blockNumber >= tick.blockNumber) chain.pop()
      continue
    }
    const last = chain.at(-1)
    if (tick.kind === 'HEAD') {
      if (last) expect([tick.blockNumber, tick.parentHash]).toEqual([last.blockNumber + 1, last.blockHash])
    } else expect([tick.blockNumber, tick.blockHash]).toEqual([last?.blockNumber, last?.blockHash])
    chain.push(tick)
  }
  return chain
}

/** What the ticks of a chain must be, computed from the chain alone, for one market whose window is in blocks. */
function expectedTicks(chain: ScriptedChain, from = 0): readonly string[] {
  return chain.blocks.slice(from).flatMap((block) => {
    const opens = (block.releases ?? [])
      .filter(({ dataMarket }) => dataMarket === MARKET)
      .map(({ epochId }) => {
        const { begin, end } = epochRange(epochId)
        return `OPEN ${epochId} ${begin}-${end} w${block.windowNow}`
      })
    const closes = chain.blocks.slice(from, block.number).flatMap((release) =>
      (release.releases ?? [])
        .filter(
          ({ dataMarket }) => dataMarket === MARKET && release.number + Number(release.windowNow) + 1 === block.number,
        )
        .map(({ epochId }) => {
          const headers = chain.blocks.slice(release.number, block.number + 1).map(({ hash }) => hash)
          return `CLOSE ${epochId} ${headers.join(' ')}`
        }),
    )
    return [`HEAD ${block.hash} ${block.timestamp}`, ...opens, ...closes].map((tick) => `${block.number} ${tick}`)
  })
}

const describeTick = (tick: EpochTick): string => {
  const { kind, blockNumber, blockHash, blockTimestamp, epochId, begin, end, submissionWindow, acceptedHeaders } = tick
  if (kind === 'OPEN') return `${blockNumber} OPEN ${epochId} ${begin}-${end} w${submissionWindow}`
  if (kind === 'CLOSE') return `${blockNumber} CLOSE ${epochId} ${acceptedHeaders.join(' ')}`
  return `${blockNumber} ${kind} ${blockHash} ${blockTimestamp}`
}

/**
 * For every canonical block: the rows below its `slotsOffset` give each slot's owner as of that block. A reader of a tick,
 * also of a block that leaves the chain later, has the same answers from these rows as from all that come after them.
 */
export async function expectSlotsAsOfEachBlock(log: Log, topics: ClockTopics, chain: ScriptedChain): Promise<void> {
  const rows = (await readTopic(log, topics.slots.name)).map(({ offset, value }) => ({
    offset,
    row: topics.slots.value.decode(value!),
  }))
  const tableBelow = (end: number): Map<number, SlotOwner> =>
    new Map(rows.filter(({ offset }) => offset < end).map(({ row }) => [row.slotId, row]))
  const newest = tableBelow(Number.POSITIVE_INFINITY)
  const ticks = await readTicks(log, topics)
  const tables = new Map<number, ReadonlyMap<number, SlotOwner>>()
  const wrong: string[] = []
  for (const { kind, blockNumber, slotsOffset, forks } of ticks) {
    const below = tables.get(slotsOffset) ?? tableBelow(slotsOffset)
    tables.set(slotsOffset, below)
    const head = kind === 'ORPHAN' ? blockNumber - 1 : blockNumber
    for (const slotId of newest.keys())
      for (let block = Math.max(0, head - 6); block <= head; block++) {
        const [then, now] = [below, newest].map((table) => ownerIn(table, slotId, block, forks))
        if (then !== now) wrong.push(`slot ${slotId} at block ${block}, fork ${forks}: ${then}, later ${now}`)
      }
  }
  for (const { blockNumber, forks } of canonical(ticks).filter(({ kind }) => kind === 'HEAD'))
    for (const [slotId, owner] of chain.blocks[blockNumber]!.owners) {
      const found = ownerIn(newest, slotId, blockNumber, forks)
      if (!found.startsWith(owner))
        wrong.push(`slot ${slotId} at block ${blockNumber}: ${found}, on the chain ${owner}`)
    }
  expect(wrong).toEqual([])
}

function ownerIn(table: ReadonlyMap<number, SlotOwner>, slotId: number, block: number, forks: number): string {
  const { owner, active, sinceBlock } = ownerAsOf(table.get(slotId)?.history ?? [], block, forks) ?? {}
  return `${owner} ${active} since ${sinceBlock}`
}

/** The log holds exactly what the chain says, each tick once. */
export async function expectTicksOfChain(log: Log, topics: ClockTopics, chain: ScriptedChain, from = 0): Promise<void> {
  const ticks = canonical(await readTicks(log, topics))
  expect(ticks.map(describeTick)).toEqual(expectedTicks(chain, from))
}
