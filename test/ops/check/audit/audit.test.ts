import { beforeAll, describe, expect, test } from 'vitest'
import { textOf } from '../../../../ops/base/output.ts'
import { auditLog } from '../../../../ops/check/audit/audit.ts'
import type { ChainReader } from '../../../../ops/check/audit/chain.ts'
import { isChecked, isClean, renderAudit } from '../../../../ops/check/audit/render.ts'
import type { AuditReport, DifferenceKind } from '../../../../ops/check/audit/report.ts'
import { withBytes } from '../../../../schemas/batch-joiner.ts'
import type { EpochTick } from '../../../../schemas/types.ts'
import { isEpochSummary, isMarker, type Topics } from '../../../../topology/topics.ts'
import { ACCEPT_REASONS, REJECT_REASONS } from '../../../../topology/verdict.ts'
import { type FrozenLog, growing } from './frozen-log.ts'
import { MARKETS, RULES, runScenario, type Scenario, SOURCED_RULES } from './scenario.ts'

const CLEAN = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0, differences: [] }
const auditOf = ({ log, topics }: Pick<Scenario, 'log' | 'topics'>): Promise<AuditReport> =>
  auditLog(log, { topics, rules: RULES })

/** Changes what the clock said of every block, wherever it lies. */
function retell(log: FrozenLog, topics: Topics, change: (tick: EpochTick) => EpochTick): void {
  for (const topic of [topics.submissions, topics.tallies] as const)
    for (let partition = 0; partition < topic.partitions; partition++)
      for (const [at, record] of log.records(topic, partition).entries()) {
        const event = topic.value.decode(record.value!)
        if (!isMarker(event)) continue
        const value = topic.value.encode({ ...event, tick: change(event.tick) })
        log.records(topic, partition)[at] = { ...record, value }
      }
  const { value } = topics.epochTicks
  for (const [at, record] of log.records(topics.epochTicks, 0).entries())
    log.records(topics.epochTicks, 0)[at] = { ...record, value: value.encode(change(value.decode(record.value!))) }
}

describe('a sound log', () => {
  test.each([
    [1, 3],
    [2, 1],
    [3, 8],
    [4, 2],
    [5, 3],
    [6, 5],
    [7, 3],
    [8, 1],
    [9, 8],
    [10, 4],
  ])('default: seed %i on %i partitions is recomputed alike', async (seed, partitions) => {
    const scenario = await runScenario({ seed, partitions })
    const report = await auditOf(scenario)
    expect(report).toMatchObject(CLEAN)
    expect(report).toMatchObject({ epochsReleased: 8, epochsClosed: 8, epochsAnchored: 8 })
    expect(report.verdicts + report.pending).toBe(report.acknowledged)
    expect(textOf(renderAudit(report))).toContain('Nothing is lost')
  })

  test('behavior: the scenarios give every verdict there is', async () => {
    const given = new Set<string>()
    for (const seed of [1, 2, 3, 4])
      for (const reason of Object.keys((await runScenario({ seed })).reasons)) given.add(reason)
    // the first needs a market with a list, the second rules that were wider before
    const elsewhere = ['WRONG_DATA_SOURCE', 'UNANCHORABLE']
    expect(
      [...REJECT_REASONS, ...ACCEPT_REASONS].filter((reason) => !elsewhere.includes(reason) && !given.has(reason)),
    ).toEqual([])
  })

  test('behavior: so are the turns of data sources', async () => {
    const { log, topics, reasons } = await runScenario({ seed: 17, sources: true })
    expect(reasons.WRONG_DATA_SOURCE).toBeGreaterThan(5)
    expect(reasons.COUNTED).toBeGreaterThan(5)
    expect(await auditLog(log, { topics, rules: SOURCED_RULES })).toMatchObject(CLEAN)
    expect((await auditLog(log, { topics, rules: RULES })).mismatches).toBeGreaterThan(5)
  })

  const byParent = (block: number) => 1_000 + Math.floor(block / 2)

  test('behavior: windows in blocks are measured as the contract counts them, which the log tells', async () => {
    const report = await auditOf(await runScenario({ seed: 14, contractBlockOf: byParent }))
    expect(report).toMatchObject({ ...CLEAN, epochsClosed: 8, epochsAnchored: 8, windowsUnchecked: 0 })
  })

  test('error: a close one block of the parent too late is found there', async () => {
    const { log, topics } = await runScenario({ seed: 14, contractBlockOf: byParent })
    retell(log, topics, (tick) => ({
      ...tick,
      contractBlock: byParent(tick.blockNumber) - (tick.blockNumber > 7 ? 1 : 0),
    }))
    expect((await auditOf({ log, topics })).mismatches).toBeGreaterThan(0)
  })

  test('behavior: what an older clock did not say is said to be unchecked, and no fault', async () => {
    const { log, topics } = await runScenario({ seed: 14, contractBlockOf: byParent })
    retell(log, topics, (tick) => ({ ...tick, contractBlock: -1 }))
    const report = await auditOf({ log, topics })
    expect(report).toMatchObject({ ...CLEAN, epochsClosed: 8, epochsAnchored: 8, windowsUnchecked: 8 })
    expect(textOf(renderAudit(report))).toContain(
      'Unchecked: the contract (no node was asked, see --rpc), when the windows of 8',
    )
    expect(isChecked({ ...report, epochsOnChain: 8 })).toBe(false)
  })

  test('behavior: where the contract counts the blocks of the chain, an older clock had no more to say', async () => {
    const report = await auditOf(await runScenario({ seed: 15, contractBlockOf: (block) => (block < 14 ? -1 : block) }))
    expect(report).toMatchObject({ ...CLEAN, epochsClosed: 8, windowsUnchecked: 0 })
    const older = await auditOf(await runScenario({ seed: 15, contractBlockOf: () => -1 }))
    expect(older).toMatchObject({ ...CLEAN, epochsClosed: 8, windowsUnchecked: 0 })
  })

  test('behavior: an epoch whose release left the chain after its batches were cut counts once', async () => {
    const report = await auditOf(await runScenario({ seed: 16, deepReorg: { block: 11, depth: 11 } }))
    expect(report).toMatchObject({ ...CLEAN, epochsReleased: 8, epochsClosed: 8, epochsAnchored: 8, releasesLost: 4 })
    expect(textOf(renderAudit(report))).toContain(
      `note: epoch 1 of ${MARKETS[0]}: its release in block 1 left the chain after its batches were cut; whether it was released again only a node can tell`,
    )
  })

  test('behavior: an epoch that is open still is pending, not lost', async () => {
    const scenario = await runScenario({ seed: 11, openEnd: true })
    const report = await auditOf(scenario)
    expect(report).toMatchObject({ ...CLEAN, epochsReleased: 8, epochsClosed: 6 })
    expect(report.pending).toBeGreaterThan(20)
  })

  // the time is for thirty audits
  test('behavior: a log that is written meanwhile is as sound at every moment', { timeout: 300_000 }, async () => {
    const [early, late] = [await runScenario({ seed: 13, openEnd: true }), await runScenario({ seed: 13 })]
    const { topics } = late
    const { submissions, finalizations, batches } = topics
    const sourceOf = { validate: submissions, settle: finalizations, batch: finalizations, anchor: batches }
    for (const { log } of [early, late]) log.commitAll('app', sourceOf)
    const auditAt = async (turn: number) => {
      const { log, answers } = growing(early.log, late.log, turn)
      return { report: await auditLog(log, { topics, rules: RULES, appId: 'app' }), answers: answers() }
    }
    const { answers } = await auditAt(0)
    for (let turn = 0; turn <= answers; turn += turn < 20 ? 1 : Math.ceil(answers / 12))
      expect((await auditAt(turn)).report, `it grows with answer ${turn}`).toMatchObject(CLEAN)
  })

  test('behavior: results that have expired take nothing from their rows', async () => {
    const { log, topics } = await runScenario({ seed: 12, epochs: 6 })
    const results = log.records(topics.anchorResults, 0).length
    for (let before = 1; before < results; before += Math.ceil(results / 4)) {
      const cut = log.copy()
      cut.expire(topics.anchorResults, 0, before)
      expect(await auditLog(cut, { topics, rules: RULES }), `before ${before}`).toMatchObject(CLEAN)
    }
  })

  test('behavior: a log whose beginning has expired is audited from where all partitions reach', async () => {
    const { log, topics } = await runScenario({ seed: 12, epochs: 6 })
    for (let partition = 0; partition < topics.submissions.partitions; partition++) {
      const opens = log.records(topics.submissions, partition).filter(({ value }) => {
        const event = topics.submissions.value.decode(value!)
        return isMarker(event) && event.tick.kind === 'OPEN' && event.tick.epochId === 3
      })
      log.expire(topics.submissions, partition, opens[0]!.offset - 5 * partition)
    }
    const report = await auditLog(log, { topics, rules: RULES })
    expect(report).toMatchObject({ lost: 0, duplicated: 0, skipped: 0 })
    expect(report.beyondRetention).toBeGreaterThan(0)
    expect(report.epochsClosed).toBeGreaterThanOrEqual(6)
  })
})

interface Tampering {
  readonly name: string
  readonly kind: DifferenceKind
  readonly tamper: (log: FrozenLog, topics: Topics) => void
  /** Other counters that follow of themselves. */
  readonly also?: readonly DifferenceKind[]
}
const KEY = { dataMarket: MARKETS[0], epochId: 2 }
const isKey = (key: { dataMarket: string; epochId: number }) =>
  key.dataMarket === KEY.dataMarket && key.epochId === KEY.epochId

const TAMPERINGS: Tampering[] = [
  {
    name: 'a verdict has another reason',
    kind: 'mismatches',
    tamper: (log, { verdicts }) =>
      log.edit(verdicts, (v) => (v.reason === 'OUTVOTED' ? { ...v, reason: 'COUNTED' as const } : undefined)),
  },
  {
    name: 'a verdict of validate has another reason',
    kind: 'mismatches',
    tamper: (log, { verdicts }) =>
      log.edit(verdicts, (v) =>
        v.reason === 'STALE_HEADER' ? { ...v, reason: 'UNKNOWN_HEADER' as const } : undefined,
      ),
  },
  {
    name: 'a verdict names another submission',
    kind: 'mismatches',
    tamper: (log, { verdicts }) =>
      log.edit(verdicts, (v) => (v.reason === 'COUNTED' ? { ...v, slotId: v.slotId + 1 } : undefined)),
  },
  {
    name: 'a verdict is missing',
    kind: 'lost',
    tamper: (log, { verdicts }) => {
      let first = true
      log.drop(verdicts, ({ reason }) => {
        const drop = first && reason === 'COUNTED'
        if (drop) first = false
        return drop
      })
    },
  },
  {
    name: 'a verdict stands twice',
    kind: 'duplicated',
    tamper: (log, { verdicts }) => log.repeat(verdicts, ({ reason }) => reason === 'SUPERSEDED'),
  },
  {
    name: 'a second, other verdict',
    kind: 'duplicated',
    tamper: (log, topics) => {
      log.repeat(topics.verdicts, ({ reason }) => reason === 'DUPLICATE')
      const last = log.records(topics.verdicts, 0).at(-1)!
      log.records(topics.verdicts, 0)[log.records(topics.verdicts, 0).length - 1] = {
        ...last,
        value: topics.verdicts.value.encode({ ...topics.verdicts.value.decode(last.value!), reason: 'COUNTED' }),
      }
    },
  },
  {
    name: 'one byte of a batch',
    kind: 'mismatches',
    tamper: (log, { batches }) =>
      log.edit(batches, (event) => {
        if (isEpochSummary(event)) return undefined
        event.texts[0]!.signatures[10]! ^= 1
        return event
      }),
  },
  {
    name: 'the root of a batch',
    kind: 'mismatches',
    tamper: (log, { batches }) =>
      log.edit(batches, (event) => (isEpochSummary(event) ? undefined : { ...event, roothash: `0x${'0'.repeat(64)}` })),
  },
  {
    name: 'a batch is missing',
    kind: 'skipped',
    tamper: (log, { batches }) =>
      log.drop(
        batches,
        (event, { dataMarket }) =>
          dataMarket === KEY.dataMarket && !isEpochSummary(event) && event.epochId === 2 && event.batchIndex === 0,
      ),
  },
  {
    name: 'a batch stands twice',
    kind: 'duplicated',
    tamper: (log, { batches }) => log.repeat(batches, (event) => !isEpochSummary(event)),
  },
  {
    name: 'a summary is missing',
    kind: 'skipped',
    tamper: (log, { batches }) =>
      log.drop(
        batches,
        (event, { dataMarket }) => dataMarket === KEY.dataMarket && isEpochSummary(event) && event.summaryOf === 2,
      ),
  },
  {
    name: 'a summary counts otherwise',
    kind: 'mismatches',
    tamper: (log, { batches }) =>
      log.edit(batches, (event) =>
        isEpochSummary(event) ? { ...event, submissions: event.submissions + 1 } : undefined,
      ),
  },
  {
    name: 'a project stands in two batches',
    kind: 'duplicated',
    also: ['mismatches'],
    tamper: (log, { batches }) => {
      let first: string | undefined
      log.edit(batches, (event) => {
        if (isEpochSummary(event) || event.batchCount < 2) return undefined
        if (event.batchIndex === 0) first = event.projectIds[0]
        return event.batchIndex === 1 && first
          ? { ...event, projectIds: [first, ...event.projectIds.slice(1)] }
          : undefined
      })
    },
  },
  {
    name: 'a submission stands in two batches',
    kind: 'duplicated',
    also: ['mismatches'],
    tamper: (log, { batches }) => {
      let first: string | undefined
      log.edit(batches, (event) => {
        if (isEpochSummary(event) || event.batchCount < 2) return undefined
        const { json, ...rest } = withBytes(event)
        const content = JSON.parse(Buffer.from(json).toString())
        if (event.batchIndex === 0) first = content.submissionIDs[0]
        if (event.batchIndex !== 1 || !first) return undefined
        return {
          ...rest,
          json: Buffer.from(JSON.stringify({ ...content, submissionIDs: [first, ...content.submissionIDs.slice(1)] })),
        }
      })
    },
  },
  {
    name: 'the anchor of a batch is missing',
    kind: 'skipped',
    tamper: (log, { anchors }) => log.drop(anchors, (_, key) => isKey(key) && key.batchIndex === 0),
  },
  {
    name: 'the anchor of a batch has another CID',
    kind: 'mismatches',
    tamper: (log, { anchors }) =>
      log.edit(anchors, (row) => (row.state === 'FINAL' && row.cid ? { ...row, cid: `${row.cid}x` } : undefined)),
  },
  {
    name: 'a verdict names another stage',
    kind: 'mismatches',
    tamper: (log, { verdicts }) =>
      log.edit(verdicts, (v) => (v.reason === 'COUNTED' ? { ...v, stage: 'admit' } : undefined)),
  },
  {
    name: 'a verdict names another block',
    kind: 'mismatches',
    tamper: (log, { verdicts }) =>
      log.edit(verdicts, (v) => (v.reason === 'COUNTED' ? { ...v, blockNumber: v.blockNumber + 1 } : undefined)),
  },
  {
    name: 'a CLOSE is missing among the ticks',
    kind: 'skipped',
    tamper: (log, { epochTicks }) => log.drop(epochTicks, ({ kind, epochId }) => kind === 'CLOSE' && epochId === 2),
  },
  {
    name: 'a tick says something else than its markers',
    kind: 'mismatches',
    tamper: (log, { epochTicks }) =>
      log.edit(epochTicks, (tick) =>
        tick.kind === 'OPEN' && tick.epochId === 2 ? { ...tick, end: tick.end + 1 } : undefined,
      ),
  },
  ...(['transactionHash', 'blockHash', 'blockNumber', 'attempts'] as const).map(
    (field): Tampering => ({
      name: `the anchor of a batch has another ${field}`,
      kind: 'mismatches',
      tamper: (log, { anchors }) => {
        log.repeat(anchors, (row) => row.state === 'FINAL')
        const rows = log.records(anchors, 0)
        const last = rows.at(-1)!
        const row = anchors.value.decode(last.value!)
        const other = field === 'blockNumber' || field === 'attempts' ? row[field] + 5 : `0x${'ab'.repeat(32)}`
        rows[rows.length - 1] = { ...last, value: anchors.value.encode({ ...row, [field]: other }) }
      },
    }),
  ),
  {
    name: 'the anchor of a batch has an attestation that nobody gave',
    kind: 'mismatches',
    tamper: (log, { anchors }) => {
      log.repeat(anchors, (row) => row.state === 'FINAL')
      const rows = log.records(anchors, 0)
      const last = rows.at(-1)!
      const row = anchors.value.decode(last.value!)
      const attestation = { validator: MARKETS[0], matches: true, blockNumber: 41, finalized: false }
      rows[rows.length - 1] = {
        ...last,
        value: anchors.value.encode({ ...row, attestations: [...row.attestations, attestation] }),
      }
    },
  },
  {
    name: 'a batch was too late',
    kind: 'skipped',
    tamper: (log, { anchors }) => {
      log.repeat(anchors, (row, key) => key.batchIndex === 0 && row.state === 'FINAL')
      log.edit(anchors, (row) =>
        row.state === 'FINAL' ? { ...row, state: 'LATE' as const, error: 'too late' } : undefined,
      )
      log.repeat(anchors, (row) => row.state === 'LATE')
    },
  },
]

for (const kind of ['HEAD', 'OPEN', 'CLOSE'] as const) {
  const fits = (event: object): boolean => {
    if (!isMarker(event)) return false
    const { tick } = event
    return (
      tick.kind === kind &&
      tick.blockNumber >= 5 &&
      (kind === 'HEAD' ? tick.blockNumber === 6 : tick.epochId === 2 && tick.dataMarket === KEY.dataMarket)
    )
  }
  TAMPERINGS.push(
    {
      name: `the ${kind} of a block or epoch is missing everywhere`,
      kind: 'skipped',
      also: ['mismatches', 'lost'],
      tamper: (log, { submissions }) => log.drop(submissions, fits),
    },
    {
      name: `the ${kind} of a block or epoch is missing in one partition`,
      kind: 'skipped',
      also: ['mismatches', 'lost'],
      tamper: (log, { submissions }) => {
        const records = log.records(submissions, 1)
        const at = records.findIndex(({ value }) => fits(submissions.value.decode(value!)))
        records.splice(at, 1)
      },
    },
  )
}

describe('a log that was tampered with', () => {
  let scenario: Scenario
  beforeAll(async () => {
    scenario = await runScenario({ seed: 21 })
    expect(await auditOf(scenario)).toMatchObject(CLEAN)
  })

  test.each(TAMPERINGS)('error: $name: $kind', async ({ kind, tamper, also = [] }) => {
    const log = scenario.log.copy()
    tamper(log, scenario.topics)
    const report = await auditLog(log, { topics: scenario.topics, rules: RULES })
    expect(report[kind], textOf(renderAudit(report))).toBeGreaterThan(0)
    expect(isClean(report)).toBe(false)
    for (const other of ['lost', 'duplicated', 'skipped', 'mismatches'] as const)
      if (other !== kind && !also.includes(other)) expect(report[other], textOf(renderAudit(report))).toBe(0)
    expect(report.differences.some((difference) => difference.kind === kind)).toBe(true)
  })

  test('behavior: the first differences are told in words', async () => {
    const log = scenario.log.copy()
    log.edit(scenario.topics.verdicts, (v) =>
      v.reason === 'OUTVOTED' ? { ...v, reason: 'COUNTED' as const } : undefined,
    )
    const text = textOf(renderAudit(await auditLog(log, { topics: scenario.topics, rules: RULES })))
    expect(text).toMatch(/different: submissions\[\d\] offset \d+: verdict: recomputed OUTVOTED, found COUNTED/)
  })
})

describe('stages that are not past it', () => {
  test('behavior: what a stage has not taken yet is pending or on its way', async () => {
    const { log, topics } = await runScenario({ seed: 31 })
    const behind = log.copy()
    behind.drop(topics.verdicts, () => true)
    behind.drop(topics.batches, () => true)
    behind.drop(topics.anchors, () => true)
    // no group has committed anything
    const waiting = await auditLog(behind, { topics, rules: RULES, appId: 'a' })
    expect(waiting).toMatchObject({ ...CLEAN, verdicts: 0, epochsAnchored: 0 })
    expect(waiting.pending).toBe(waiting.acknowledged)

    for (const [group, { name, partitions }] of [
      ['a-validate', topics.submissions],
      ['a-settle', topics.finalizations],
      ['a-batch', topics.finalizations],
    ] as const)
      for (let partition = 0; partition < partitions; partition++)
        behind.committed.set(`${group}/${name}/${partition}`, 1_000_000)
    const past = await auditLog(behind, { topics, rules: RULES, appId: 'a' })
    expect(past.lost + past.pending).toBe(past.acknowledged)
    expect(past.lost).toBeGreaterThan(300)
    expect(past.skipped).toBe(8)
  })
})

describe('the chain', () => {
  /** A contract that holds what the log says. */
  function contractOf({
    log,
    topics,
  }: Scenario): ChainReader & { epochs: Map<string, Map<string, { root: string; projects: Map<string, string> }>> } {
    const epochs = new Map<string, Map<string, { root: string; projects: Map<string, string> }>>()
    for (const { key, value } of log.records(topics.anchors, 0)) {
      const { dataMarket, epochId, batchIndex } = topics.anchors.key.decode(key!)
      const row = topics.anchors.value.decode(value!)
      if (batchIndex < 0 || row.cid === '') continue
      const batch = topics.batches.value.decode(log.records(topics.batches, 0)[row.batchOffset]!.value!)
      if (isEpochSummary(batch)) continue
      const epoch = epochs.get(`${dataMarket}/${epochId}`) ?? new Map()
      epochs.set(`${dataMarket}/${epochId}`, epoch)
      epoch.set(row.cid, {
        root: row.finalizedCidsRootHash,
        projects: new Map(batch.projectIds.map((pid, i) => [pid, batch.snapshotCids[i]!])),
      })
    }
    const epochOf = (dataMarket: string, epochId: number) => epochs.get(`${dataMarket}/${epochId}`) ?? new Map()
    return {
      epochs,
      releasedEpochs: async (dataMarket) =>
        MARKETS.includes(dataMarket as never)
          ? [1, 2, 3, 4].map((epochId) => ({ epochId, blockNumber: 4 * epochId - 3 }))
          : [],
      windowAt: async () => 3n,
      releaseBlock: async (_, epochId) => 4 * epochId - 3,
      batchWindow: async () => 1_000,
      batchCids: async (dataMarket, epochId) => [...epochOf(dataMarket, epochId).keys()],
      sequencerRoot: async (dataMarket, cid) =>
        [...epochs]
          .filter(([key]) => key.startsWith(dataMarket))
          .flatMap(([, batches]) => [...batches])
          .find(([c]) => c === cid)![1].root,
      snapshotCid: async (dataMarket, projectId, epochId) =>
        [...epochOf(dataMarket, epochId).values()]
          .find(({ projects }) => projects.has(projectId))!
          .projects.get(projectId),
      completed: async () => true,
      day: async () => ({ eligibleNodes: 0, remaining: 0, share: 0n, slots: [] }),
      dayAt: async () => undefined,
      slotsAt: async () => undefined,
      blockHash: async () => undefined,
      minedIn: async () => MINED,
      close: () => {},
    }
  }
  /** Where the scenario's connector saw every transaction. */
  const MINED = { blockNumber: 40, blockHash: `0x${'66'.repeat(32)}` }
  let scenario: Scenario
  beforeAll(async () => {
    scenario = await runScenario({ seed: 41 })
  })
  const against = (chain: ChainReader) => auditLog(scenario.log, { topics: scenario.topics, rules: RULES, chain })

  test('default: the contract holds the same', async () => {
    expect(await against(contractOf(scenario))).toMatchObject({ ...CLEAN, epochsOnChain: 8 })
  })

  test('behavior: an epoch that was released again in another block, after its batches were cut, is told of', async () => {
    const lost = await runScenario({ seed: 16, deepReorg: { block: 11, depth: 11 } })
    const chain = contractOf(lost)
    const shifted: ChainReader['releasedEpochs'] = async (...asked) =>
      (await chain.releasedEpochs(...asked)).flatMap((one) =>
        one.epochId === 1 ? [{ ...one, blockNumber: 2 }] : one.epochId === 2 && asked[0] === MARKETS[0] ? [] : [one],
      )
    const releaseBlock: ChainReader['releaseBlock'] = async (...asked) =>
      asked[1] < 3 ? 2 : chain.releaseBlock(...asked)
    const of = (releasedEpochs: ChainReader['releasedEpochs']) =>
      auditLog(lost.log, { topics: lost.topics, rules: RULES, chain: { ...chain, releasedEpochs, releaseBlock } })
    const report = await of(shifted)
    expect(report).toMatchObject({ ...CLEAN, epochsOnChain: 8, releasesLost: 4 })
    const left = (block: number) => `its release in block ${block} left the chain after its batches were cut`
    expect(report.notes).toContainEqual({
      where: `epoch 1 of ${MARKETS[0]}`,
      message: `${left(1)}; it was released again in block 2, and its batches are the batches of the first release`,
    })
    expect(report.notes).toContainEqual({
      where: `epoch 2 of ${MARKETS[0]}`,
      message: `${left(5)}; it is not released again so far`,
    })
    // the others have not left it: the same answer about one of them is a fault
    const wrong = await of(async (...asked) =>
      (await shifted(...asked)).map((one) => (one.epochId === 4 ? { ...one, blockNumber: 14 } : one)),
    )
    expect(wrong.mismatches).toBe(2)
  })

  test('behavior: an epoch that the contract released once more is the same epoch', async () => {
    const chain = contractOf(scenario)
    const releasedEpochs: ChainReader['releasedEpochs'] = async (...asked) =>
      (await chain.releasedEpochs(...asked)).flatMap((one) => [one, { ...one, blockNumber: one.blockNumber + 1 }])
    expect(await against({ ...chain, releasedEpochs })).toMatchObject(CLEAN)
  })

  const [market] = MARKETS
  const changes: [string, DifferenceKind, (chain: ReturnType<typeof contractOf>) => Partial<ChainReader>][] = [
    ['another root', 'mismatches', () => ({ sequencerRoot: async () => `0x${'0'.repeat(64)}` })],
    ['another CID for a project', 'mismatches', () => ({ snapshotCid: async () => 'bafother' })],
    [
      'a batch that is not ours',
      'mismatches',
      (c) => ({ batchCids: async (m, e) => [...(await c.batchCids(m, e)), 'bafforeign'] }),
    ],
    [
      'a batch twice',
      'duplicated',
      (c) => ({ batchCids: async (m, e) => [...(await c.batchCids(m, e)), ...(await c.batchCids(m, e)).slice(0, 1)] }),
    ],
    ['a transaction in another block', 'mismatches', () => ({ minedIn: async () => ({ ...MINED, blockNumber: 41 }) })],
    ['a transaction in no block', 'mismatches', () => ({ minedIn: async () => undefined })],
    ['no batch', 'skipped', () => ({ batchCids: async () => [] })],
    ['an epoch not ended', 'skipped', () => ({ completed: async () => false })],
    [
      'an epoch that the log lacks',
      'skipped',
      () => ({ releasedEpochs: async (m) => (m === market ? [{ epochId: 9, blockNumber: 9 }] : []) }),
    ],
    ['another number for a release block', 'mismatches', () => ({ releaseBlock: async () => 5_000_000 })],
    [
      'another release block',
      'mismatches',
      () => ({ releasedEpochs: async (m) => (m === market ? [{ epochId: 1, blockNumber: 2 }] : []) }),
    ],
  ]
  test.each(changes)('error: the contract holds %s: %s', async (_name, kind, change) => {
    const chain = contractOf(scenario)
    expect((await against({ ...chain, ...change(chain) }))[kind]).toBeGreaterThan(0)
  })
})
