import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { id } from 'ethers'
import { afterEach } from 'vitest'
import { cidIn, type Log as EventLog } from '../../../../connectors/evm/anchor-effects/anchor-chain.ts'
import type {
  AnchorObserver,
  AnchorOptions,
  AnchorPorts,
} from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { startAnchor } from '../../../../connectors/evm/anchor-effects/role.ts'
import { protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import type { BatchStore } from '../../../../connectors/ipfs/batch-store.ts'
import { createFileBlockStore } from '../../../../connectors/ipfs/file-store.ts'
import {
  type BatchStorage,
  createStorage,
  type StorageObserver,
  type StorageOptions,
} from '../../../../connectors/ipfs/storage.ts'
import { keeperOf } from '../../../../connectors/ipfs/store.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { scan } from '../../../../ops/reading/scan.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { type DevAccount, devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { createDevSender, devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { finalizedCidsRoot } from '../../../../ops/world/chain/dev-validator.ts'
import { DEV_CHAIN_ID, type DevChainOptions, startDevChain } from '../../../../ops/world/chain/devchain.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import type {
  Anchor,
  AnchorIntent,
  AnchorKey,
  AnchorResult,
  Batch,
  EpochSummary,
  Payment,
  PaymentKey,
  Payout,
} from '../../../../schemas/types.ts'
import { createStreamsBuilder } from '../../../../streams/create-builder.ts'
import type { RecordTopic } from '../../../../streams/kafka-topic.ts'
import { readRecords } from '../../../../streams/read-record.ts'
import { StreamsRuntime } from '../../../../streams/runtime.ts'
import { planAnchor } from '../../../../topology/anchor/anchor.ts'
import { ANCHOR_RULES_DEFAULTS, type AnchorRules } from '../../../../topology/anchor-rules.ts'
import { MARKET_DEFAULTS } from '../../../../topology/rules.ts'
import { sequencerStores } from '../../../../topology/stores.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { until as untilFound } from '../../../until.ts'

const APP = 'test'
const WAIT_MS = 60_000
const POLL_MS = 20
/** Another sequencer of the market, when the chain is given it. */
export const RIVAL = devAccount(12)
/** 1e15 wei: no transaction here pays that. */
const HIGH_BASE_FEE = '0x38d7ea4c68000'

export const isFinal = ({ state }: { state: string }): boolean => state === 'FINAL'

/** Blocks that take no transaction. */
export async function mineWithoutUs(w: AnchorWorld, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) {
    await w.send('anvil_setNextBlockBaseFeePerGas', [HIGH_BASE_FEE])
    await w.send('evm_mine')
  }
}

export const lowerBaseFee = (w: AnchorWorld) => w.send('anvil_setNextBlockBaseFeePerGas', ['0x1'])

/** Worlds, and whatever else a test keeps, are closed after it. */
export function anchorWorlds() {
  let open: { close(): Promise<unknown> }[] = []
  afterEach(async () => {
    for (const part of open.toReversed()) await part.close()
    open = []
  })
  const keep = <T extends { close(): Promise<unknown> }>(part: T): T => {
    open.push(part)
    return part
  }
  const world = async (...options: Parameters<typeof createAnchorWorld>): Promise<AnchorWorld> =>
    keep(await createAnchorWorld(...options))
  return { keep, world }
}

/** A development chain whose blocks the test mines, the anchor stage on a log in memory, and the connector between. */
async function createAnchorWorld(chainOptions: Partial<DevChainOptions> = {}, rules: Partial<AnchorRules> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'anchor-'))
  const windows = { snapshot: 2, batch: 40, attestation: 80 }
  const chain = await startDevChain({
    directory,
    port: 0,
    blockTimeSeconds: 3_600, // blocks come when the test asks for them
    markets: 1,
    windows,
    slots: [],
    validators: 3,
    ...chainOptions,
  })
  const provider = devProvider(chain.rpcUrl, DEV_CHAIN_ID)
  const send = (method: string, params: readonly unknown[] = []): Promise<unknown> => provider.send(method, [...params])
  const market = chain.markets[0]!
  const { interface: contract } = devProtocolState()

  /** One value of the contract of the development chain. */
  const read = async (name: string, ...args: readonly unknown[]): Promise<unknown> => {
    const data = contract.encodeFunctionData(name, args)
    return contract.decodeFunctionResult(name, await provider.call({ to: chain.protocolState, data }))[0]
  }

  const codec = await createCodec(memoryRegistry())
  const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
  const topics = sequencerTopics(codec, { prefix: '', partitions })
  const stores = sequencerStores(codec).anchor
  const log = createMemoryLog()
  const runtime = new StreamsRuntime(anchorTopology(), {
    appId: APP,
    instanceId: 'stage',
    log,
    clock: systemClock,
    commitIntervalMs: 10,
    onFailure: (error) => {
      throw error
    },
  })
  await runtime.start()
  const files = await createFileBlockStore({ directory: join(directory, 'blocks') })

  function anchorTopology() {
    const builder = createStreamsBuilder()
    const turns = builder
      .stream(topics.batches)
      .merge(builder.stream(topics.payouts))
      .merge(builder.stream(topics.anchorResults))
    const fast = { retryDelayMs: 50, retryDelayMsMax: 200, notSequencerDelayMs: 200, ...rules }
    const outputs = ['intents', 'anchors', 'payments'] as const
    const anchor = turns.process(
      'anchor',
      outputs,
      planAnchor(stores, () => MARKET_DEFAULTS, fast),
      ...Object.values(stores),
    )
    anchor.intents.to(topics.anchorIntents)
    anchor.anchors.to(topics.anchors)
    anchor.payments.to(topics.payments)
    return builder.build()
  }

  async function readAll<K, V>(topic: RecordTopic<K, V>): Promise<{ key: K; value: V }[]> {
    const found: { key: K; value: V }[] = []
    for await (const records of scan(log, { topic: topic.name, partition: 0 }))
      for (const { key, value } of readRecords(topic, 0, records, () => {})) found.push({ key, value: value! })
    return found
  }

  const until = <T>(
    what: string,
    found: () => Promise<T | undefined | false>,
    { limitMs = WAIT_MS, everyMs = POLL_MS } = {},
  ): Promise<T> =>
    untilFound(what, found, { limitMs, everyMs }).catch(async (cause: Error) => {
      const rows = JSON.stringify([...(await readAll(topics.anchors)), ...(await payments())])
      throw new Error(`${cause.message}; rows ${rows}`, { cause })
    })

  const row = async (epochId: number, batchIndex: number): Promise<Anchor | undefined> =>
    (await readAll(topics.anchors)).findLast(({ key }) => key.epochId === epochId && key.batchIndex === batchIndex)
      ?.value

  /** Waits until a row holds, mining a block every so often when asked to. */
  const untilRow = (
    epochId: number,
    batchIndex: number,
    holds: (row: Anchor) => boolean,
    { mining = true } = {},
  ): Promise<Anchor> =>
    until(`row ${epochId}/${batchIndex}: ${holds}`, async () => {
      const now = await row(epochId, batchIndex)
      if (now && holds(now)) return now
      if (mining) await send('evm_mine')
      return undefined
    })

  const payments = (): Promise<{ key: PaymentKey; value: Payment }[]> => readAll(topics.payments)
  const payment = async (epochId: number, number: number): Promise<Payment | undefined> =>
    (await readAll(topics.payments)).findLast(({ key }) => key.epochId === epochId && key.number === number)?.value

  /** As `untilRow`, of a payout. */
  const untilPayment = (
    epochId: number,
    number: number,
    holds: (row: Payment) => boolean,
    { mining = true, limitMs = WAIT_MS, everyMs = POLL_MS } = {},
  ): Promise<Payment> =>
    until(
      `payment ${epochId}/${number}: ${holds}`,
      async () => {
        const now = await payment(epochId, number)
        if (now && holds(now)) return now
        if (mining) await send('evm_mine')
        return undefined
      },
      { limitMs, everyMs },
    )

  async function pay(...payouts: readonly Payout[]): Promise<void> {
    const appender = await log.appender()
    const { name: topic, key, value } = topics.payouts
    for (const payout of payouts) {
      const record = { key: key.encode({ dataMarket: market }), value: value.encode(payout) }
      await appender.append([{ topic, partition: 0, timestamp: 0, ...record }])
    }
    await appender.close()
  }

  const senderOf = (account: DevAccount) =>
    createDevSender(chain.rpcUrl, DEV_CHAIN_ID, account.privateKey, { mine: true })
  /** A call of the contract by one of the accounts, mined at once. */
  async function callAs(account: DevAccount, name: string, args: readonly unknown[]): Promise<void> {
    const sender = senderOf(account)
    const data = contract.encodeFunctionData(name, args)
    await sender.send([{ to: chain.protocolState, data, gasLimit: 3_000_000 }])
    sender.close()
  }

  const submitAs = (account: DevAccount, batch: Batch, cid: string): Promise<void> => {
    const { epochId, projectIds, snapshotCids, finalizedCidsRootHash } = batch
    const args = [market, cid, epochId, projectIds, snapshotCids, finalizedCidsRootHash]
    return callAs(account, 'submitSubmissionBatch', args)
  }
  /** Replaces this block and those after it by empty ones. */
  const reorganiseFrom = async (blockNumber: number): Promise<void> => {
    await send('anvil_reorg', [(await provider.getBlockNumber()) - blockNumber + 1, []])
  }

  /** Transactions in the node's pool that could be mined next. */
  const poolSize = async (): Promise<number> => Number(((await send('txpool_status')) as { pending: string }).pending)

  async function append<V extends Batch | EpochSummary>(value: V): Promise<void> {
    const appender = await log.appender()
    const { batches } = topics
    const record = { key: batches.key.encode({ dataMarket: market }), value: batches.value.encode(value) }
    await appender.append([{ topic: batches.name, partition: 0, timestamp: 0, ...record }])
    await appender.close()
  }

  /** Releases the next epoch on the chain; gives its id. */
  async function release(): Promise<number> {
    const [, end, epochId] = protocolStateInterface.decodeFunctionResult(
      'currentEpoch',
      await provider.call({
        to: chain.protocolState,
        data: protocolStateInterface.encodeFunctionData('currentEpoch', [market]),
      }),
    ) as unknown as [bigint, bigint, bigint]
    await callAs(chain.accounts.epochManager, 'releaseEpoch', [market, end + 1n, end + 1n])
    return Number(epochId) + 1
  }

  /** Releases an epoch and hands its batches to the anchor stage. */
  async function epoch(batches: number, projectsPerBatch = 2): Promise<number> {
    const epochId = await release()
    for (let batchIndex = 0; batchIndex < batches; batchIndex++)
      await append(batchOf(epochId, batchIndex, projectsPerBatch))
    await append(summaryOf(epochId, batches))
    return epochId
  }

  /** Every event of that name, by the CID in it. */
  async function events(name: string, epochId: number): Promise<(string | undefined)[]> {
    const topic = protocolStateInterface.getEvent(name)!.topicHash
    const logs = (await provider.getLogs({
      address: chain.protocolState,
      topics: [topic],
      fromBlock: 0,
    })) as unknown as EventLog[]
    const ofEpoch = logs.filter(({ topics: [, , epoch] }) => Number(epoch) === epochId)
    return name === 'BatchSubmissionsCompleted' ? ofEpoch.map(() => name) : ofEpoch.map(cidIn)
  }

  const { maxFeePerGasMax, noncesKept, noncesInFlightMax } = { ...ANCHOR_RULES_DEFAULTS, ...rules }
  const connect = (
    observer: AnchorObserver = {},
    options: Partial<AnchorOptions> = {},
    ports: Partial<AnchorPorts> = {},
  ) =>
    startAnchor(
      {
        appId: APP,
        instanceId: 'connector',
        topics,
        urls: [chain.rpcUrl],
        chainId: DEV_CHAIN_ID,
        protocolStateOf: () => chain.protocolState,
        signerKey: chain.accounts.sequencer.privateKey,
        limits: { maxFeePerGasMax, noncesAheadMax: noncesKept + noncesInFlightMax },
        observer,
        confirmations: 2,
        pollMs: 20,
        stuckBlocks: 3,
        stuckMs: 100,
        rebroadcastMs: 200,
        backoffMs: 20,
        backoffMsMax: 200,
        timeoutMs: 3_000,
        ...options,
      },
      { log, clock: systemClock, storage: storageOf([files]), ...ports },
    )
  const storages: BatchStorage[] = []
  /** Closed with the world. */
  const storageOf = (
    stores: readonly BatchStore[],
    options: Partial<StorageOptions> = {},
    storageObserver: StorageObserver = {},
  ): BatchStorage => {
    const keepers = stores.map(keeperOf)
    const fast = { retryMs: 20, retryMsMax: 100, pauseMs: 20, pauseMsMax: 100 }
    const storage = createStorage(
      { version: 1, keepers, required: 1, ...fast, ...options },
      { clock: systemClock, observer: storageObserver },
    )
    storages.push(storage)
    return storage
  }

  return {
    chain,
    provider,
    send,
    market,
    log,
    topics,
    files,
    callAs,
    submitAs,
    reorganiseFrom,
    poolSize,
    release,
    epoch,
    read,
    pay,
    payment,
    payments,
    untilPayment,
    events,
    row,
    untilRow,
    until,
    connect,
    storageOf,
    intents: (): Promise<{ key: AnchorKey; value: AnchorIntent }[]> => readAll(topics.anchorIntents),
    results: (): Promise<{ value: AnchorResult }[]> => readAll(topics.anchorResults),
    outcomes: async (): Promise<string[]> => (await readAll(topics.anchorResults)).map(({ value }) => value.outcome),
    async close(): Promise<void> {
      for (const storage of storages) await storage.close()
      await runtime.close()
      provider.destroy()
      await log.close()
      await chain.close()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

export type AnchorWorld = Awaited<ReturnType<typeof createAnchorWorld>>

export function batchOf(epochId: number, batchIndex: number, projects = 2): Batch {
  const names = Array.from({ length: projects }, (_, i) => `project:${batchIndex}:${i}`)
  const snapshotCids = names.map((name) => `bafkrei${id(`${epochId}${name}`).slice(2, 54)}`)
  const json = Buffer.from(JSON.stringify({ epochId, batchIndex, names, snapshotCids }))
  return {
    epochId,
    batchIndex,
    batchCount: 1,
    json,
    roothash: id(`root ${epochId} ${batchIndex}`),
    finalizedCidsRootHash: finalizedCidsRoot(snapshotCids),
    projectIds: names,
    snapshotCids,
    submissions: projects,
    leavesBefore: 0,
    gasEstimate: 0,
    part: 0,
    parts: 1,
    sizeBytes: 0,
    texts: [],
  }
}

export const summaryOf = (epochId: number, batches: number): EpochSummary => ({
  summaryOf: epochId,
  releaseBlock: 1,
  closeBlock: 2,
  closeBlockHash: id('close'),
  batches,
  projects: batches,
  projectsWithoutQuorum: 0,
  submissions: batches,
})
