/** The rules of the development contract, on a real EVM: who may, in which window, what is refused with which code. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContractTransactionReceipt, JsonRpcProvider } from 'ethers'
import { Contract, id, Wallet } from 'ethers'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { dataMarketInterface } from '../../../../connectors/evm/contract/abi.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { devProvider } from '../../../../ops/world/chain/dev-sender.ts'
import { type DevChain, startDevChain } from '../../../../ops/world/chain/devchain.ts'

const directory = mkdtempSync(join(tmpdir(), 'dev-contract-'))
const ROOT = id('root')
const OTHER_ROOT = id('another root')
const abi = devProtocolState().interface

let chain: DevChain
let provider: JsonRpcProvider
let market: string
let epochId: number

beforeAll(async () => {
  chain = await startDevChain({
    directory,
    port: 0,
    blockTimeSeconds: 3_600, // blocks are mined by the tests
    markets: 2,
    windows: { snapshot: 3, batch: 6, attestation: 12 },
    slots: [{ slotId: 2, owner: devAccount(50).address }],
    epochSize: 10,
  })
  provider = devProvider(chain.rpcUrl, chain.chainId)
  market = chain.markets[0]!
})

afterAll(async () => {
  provider?.destroy()
  await chain?.close()
  rmSync(directory, { recursive: true, force: true })
})

const as = (account: { privateKey: string }): Contract =>
  new Contract(chain.protocolState, abi, new Wallet(account.privateKey, provider))
const mine = (blocks: number): Promise<unknown> => provider.send('anvil_mine', [`0x${blocks.toString(16)}`])

async function call(account: { privateKey: string }, name: string, ...args: unknown[]): Promise<string[]> {
  const sent = await as(account)
    .getFunction(name)
    .send(...args, { gasLimit: 8_000_000 })
  await mine(1)
  const receipt = (await provider.getTransactionReceipt(sent.hash)) as ContractTransactionReceipt
  expect(receipt.status).toBe(1)
  return receipt.logs.map((log) => abi.parseLog(log)!.name)
}

const refused = (account: { privateKey: string }, name: string, ...args: unknown[]): Promise<string> =>
  as(account)
    .getFunction(name)
    .staticCall(...args)
    .then(
      () => 'accepted',
      (error: { reason?: string }) => error.reason ?? 'no reason',
    )

const read = (name: string, ...args: unknown[]) =>
  as(chain.accounts.owner)
    .getFunction(name)
    .staticCall(...args)

const batchOf = (cid: string, projects: readonly string[] = ['a', 'b']) =>
  [market, cid, epochId, projects, projects.map((project) => `cid-${project}`), ROOT] as const

/** A new epoch of the market, continuous with the last. */
async function releaseNext(): Promise<string[]> {
  const [, end] = await read('currentEpoch', market)
  const events = await call(chain.accounts.epochManager, 'releaseEpoch', market, end + 1n, end + 10n)
  epochId = Number((await read('currentEpoch', market))[2])
  return events
}

describe('epochs', () => {
  test('default: release counts epochs and records the block', async () => {
    expect(await releaseNext()).toEqual(['EpochReleased'])
    const [timestamp, block, end] = await read('epochInfo', market, epochId)
    expect([Number(block), end]).toEqual([await provider.getBlockNumber(), (await read('currentEpoch', market))[1]])
    expect(Number(timestamp)).toBe((await provider.getBlock('latest'))!.timestamp)
  })

  test.each([
    ['E05', 'owner', 0n, 10n],
    ['E20', 'epochManager', 1n, -1n],
    ['E21', 'epochManager', 1n, 11n],
    ['E22', 'epochManager', 2n, 11n],
  ] as const)('error: %s', async (code, role, fromEnd, toEnd) => {
    const [, end] = await read('currentEpoch', market)
    expect(await refused(chain.accounts[role], 'releaseEpoch', market, end + fromEnd, end + toEnd)).toBe(code)
  })

  test('error: E02 in a market that is switched off, which still takes batches', async () => {
    await releaseNext()
    await call(chain.accounts.owner, 'toggleDataMarket', market, false)
    const [, end] = await read('currentEpoch', market)
    expect(await refused(chain.accounts.epochManager, 'releaseEpoch', market, end + 1n, end + 10n)).toBe('E02')
    expect(await refused(chain.accounts.sequencer, 'submitSubmissionBatch', ...batchOf('off'))).toBe('accepted')
    await call(chain.accounts.owner, 'toggleDataMarket', market, true)
  })

  test('behavior: a day begins with the first epoch past a day of epochs', async () => {
    const perDay = Number(await read('epochsInADay', market))
    expect(perDay).toBe(720)
    expect(Number(await read('dayCounter', market))).toBe(1)
  })
})

describe('batches', () => {
  beforeEach(async () => void (await releaseNext()))

  test('default: a batch in the window is kept, pending, with its root and its projects', async () => {
    expect(await call(chain.accounts.sequencer, 'submitSubmissionBatch', ...batchOf('one'))).toEqual([
      'SnapshotBatchSubmitted',
    ])
    expect(await read('epochIdToBatchCids', market, epochId)).toEqual(['one'])
    expect(await read('batchCidToProjects', market, 'one')).toEqual(['a', 'b'])
    expect(await read('batchCidSequencerAttestation', market, 'one')).toBe(ROOT)
    expect(await read('batchCidAttestationStatus', market, 'one')).toBe(false)
    expect([...(await read('maxSnapshotsCid', market, 'a', epochId))]).toEqual(['cid-a', 0n])
    expect((await read('snapshotStatus', market, 'b', epochId))[1]).toBe('cid-b')
  })

  test('behavior: the last block of the window takes it; the next one takes it silently and keeps nothing', async () => {
    await mine(5)
    expect(await call(chain.accounts.sequencer, 'submitSubmissionBatch', ...batchOf('last'))).toEqual([
      'SnapshotBatchSubmitted',
    ])
    const late = [market, 'late', epochId, [], ['x'], ROOT] // not even looked at
    expect(await call(chain.accounts.sequencer, 'submitSubmissionBatch', ...late)).toEqual(['DelayedBatchSubmitted'])
    expect(await read('epochIdToBatchCids', market, epochId)).toEqual(['last'])
  })

  test('error: E04 before all else, then E23, E24, E43, E25', async () => {
    const { sequencer, owner } = chain.accounts
    const bad = [market, 'bad', epochId, ['a'], [], ROOT]
    expect(await refused(owner, 'submitSubmissionBatch', ...bad)).toBe('E04')
    expect(await refused(sequencer, 'submitSubmissionBatch', ...bad)).toBe('E23')
    expect(await refused(sequencer, 'submitSubmissionBatch', market, 'bad', epochId, [], [], ROOT)).toBe('E24')
    expect(await refused(sequencer, 'submitSubmissionBatch', ...batchOf('twice', ['a', 'a']))).toBe('E25')
    await call(sequencer, 'submitSubmissionBatch', ...batchOf('first', ['a']))
    expect(await refused(sequencer, 'submitSubmissionBatch', ...batchOf('second', ['b', 'a']))).toBe('E25')
    expect(await refused(owner, 'endBatchSubmissions', market, epochId)).toBe('E04')
    expect(await call(sequencer, 'endBatchSubmissions', market, epochId)).toEqual(['BatchSubmissionsCompleted'])
    expect(await refused(sequencer, 'endBatchSubmissions', market, epochId)).toBe('E39')
    expect(await refused(sequencer, 'submitSubmissionBatch', ...batchOf('second', ['a']))).toBe('E43')
  })

  test('behavior: the market itself tells whether its batches are complete, and each market is apart', async () => {
    const completed = (address: string) =>
      new Contract(address, dataMarketInterface, provider).getFunction('epochIdToBatchSubmissionsCompleted')(epochId)
    expect(await completed(market)).toBe(false)
    await call(chain.accounts.sequencer, 'endBatchSubmissions', market, epochId)
    expect(await completed(market)).toBe(true)
    expect(await completed(chain.markets[1]!)).toBe(false)
  })
})

describe('attestations', () => {
  beforeEach(async () => {
    await releaseNext()
    await call(chain.accounts.sequencer, 'submitSubmissionBatch', ...batchOf(`batch ${epochId}`))
  })
  const attest = (validator: number, root = ROOT) =>
    [
      chain.accounts.validators[validator]!,
      'submitBatchAttestation',
      market,
      `batch ${epochId}`,
      epochId,
      root,
    ] as const

  test('default: the majority finalizes every project and the batch; the third comes in afterwards', async () => {
    expect(await call(...attest(0))).toEqual(['SnapshotBatchAttestationSubmitted'])
    const finalized = [
      'SnapshotBatchAttestationSubmitted',
      'SnapshotFinalized',
      'SnapshotFinalized',
      'SnapshotBatchFinalized',
    ]
    expect(await call(...attest(1))).toEqual(finalized)
    expect(await read('batchCidAttestationStatus', market, `batch ${epochId}`)).toBe(true)
    expect((await read('maxSnapshotsCid', market, 'a', epochId))[1]).toBe(1n)
    expect(await call(...attest(2))).toEqual(['SnapshotBatchAttestationSubmitted'])
  })

  test('behavior: a majority for another root asks for resubmission and finalizes nothing', async () => {
    await call(...attest(0, OTHER_ROOT))
    expect(await call(...attest(1, OTHER_ROOT))).toEqual([
      'SnapshotBatchAttestationSubmitted',
      'TriggerBatchResubmission',
    ])
    expect(await read('batchCidAttestationStatus', market, `batch ${epochId}`)).toBe(false)
  })

  test('error: E01, E26, E40; past the window it is accepted, late', async () => {
    const { owner, validators } = chain.accounts
    expect(await refused(owner, ...(attest(0).slice(1) as [string]))).toBe('E01')
    expect(await refused(validators[0]!, 'submitBatchAttestation', market, 'unknown', epochId, ROOT)).toBe('E26')
    expect(await refused(validators[0]!, 'submitBatchAttestation', market, `batch ${epochId}`, epochId - 1, ROOT)).toBe(
      'E26',
    )
    await call(...attest(0))
    expect(await refused(...attest(0))).toBe('E40')
    await mine(12)
    expect(await call(...attest(1))).toEqual(['DelayedAttestationSubmitted'])
    expect(await call(...attest(1))).toEqual(['DelayedAttestationSubmitted'])
  })
})

describe('windows, slots and roles', () => {
  test('error: E41 and E42 keep snapshot < batch < attestation', async () => {
    const { owner } = chain.accounts
    expect(await refused(owner, 'updateBatchSubmissionWindow', market, 3)).toBe('E41')
    expect(await refused(owner, 'updateSnapshotSubmissionWindow', market, 6)).toBe('E41')
    expect(await refused(owner, 'updateAttestationSubmissionWindow', market, 6)).toBe('E42')
    expect(await refused(owner, 'updateBatchSubmissionWindow', market, 12)).toBe('E42')
    expect(await refused(owner, 'updateBatchSubmissionWindow', market, 11)).toBe('accepted')
    expect(await refused(chain.accounts.sequencer, 'updateBatchSubmissionWindow', market, 11)).toBe('E03')
  })

  test('behavior: slots are minted, assigned and burned, each with its event', async () => {
    const { owner } = chain.accounts
    const first = devAccount(60).address
    expect(await call(owner, 'assignSnapshotterToNodeBulkAdmin', [5], [first])).toEqual([
      'NodeMinted',
      'SnapshotterAddressChanged',
    ])
    expect(await call(owner, 'assignSnapshotterToNodeBulkAdmin', [5], [devAccount(61).address])).toEqual([
      'SnapshotterAddressChanged',
    ])
    expect(Number(await read('getTotalNodeCount'))).toBe(5)
    expect((await read('slotSnapshotterMapping', 5)).toLowerCase()).toBe(devAccount(61).address)
    expect((await read('slotSnapshotterMapping', 2)).toLowerCase()).toBe(devAccount(50).address)
    expect(await call(owner, 'burnNode', 5)).toEqual(['NodeBurned'])
    const node = await read('nodeInfo', 5)
    expect([node.snapshotterAddress, node.active, node.burnedOn > 0n]).toEqual([`0x${'0'.repeat(40)}`, false, true])
    expect((await read('snapshotterState')).toLowerCase()).toBe(chain.protocolState)
  })

  test('behavior: a removed sequencer may no longer submit', async () => {
    const { owner, sequencer } = chain.accounts
    await releaseNext()
    expect(await call(owner, 'updateAddresses', market, 1, [sequencer.address], [false])).toEqual(['SequencersUpdated'])
    expect(await refused(sequencer, 'submitSubmissionBatch', ...batchOf('x'))).toBe('E04')
    await call(owner, 'updateAddresses', market, 1, [sequencer.address], [true])
    expect([...(await read('getSequencers', market))].map((address: string) => address.toLowerCase())).toEqual([
      sequencer.address,
    ])
    expect((await read('getValidators', market)).length).toBe(3)
  })
})

describe('rewards', () => {
  const other = (): string => chain.markets[1]!
  const { owner, sequencer } = { owner: () => chain.accounts.owner, sequencer: () => chain.accounts.sequencer }
  const reward = (slotIds: number[], counts: number[], day: number, number: number) =>
    call(sequencer(), 'updateRewards', other(), slotIds, counts, day, number)
  const refusal = (slotIds: number[], counts: number[], day: number, number: number, by = sequencer()) =>
    refused(by, 'updateRewards', other(), slotIds, counts, day, number)
  const ofDay = async (day: number) => {
    const contract = new Contract(other(), dataMarketInterface, provider)
    const names = ['eligibleNodesForDay', 'slotsRemainingToBeRewardedCount']
    return Promise.all(names.map(async (name) => Number(await contract.getFunction(name)(day))))
  }
  const countOf = async (slotId: number, day: number) => Number(await read('slotSubmissionCount', other(), slotId, day))

  beforeAll(async () => {
    await call(owner(), 'assignSnapshotterToNodeBulkAdmin', [9], [devAccount(51).address]) // the highest: 1 to 9 are available
    await call(owner(), 'updateDailySnapshotQuota', other(), 10)
    await call(owner(), 'updateRewardPoolSize', other(), 90)
  })
  const day = { now: 1 }
  beforeEach(async () => {
    day.now += 2
    await call(owner(), 'loadCurrentDay', other(), day.now)
  })

  test('default: a count is set; with the number the slots at the quota are paid, and can claim it', async () => {
    expect(await reward([2, 3], [4, 9], day.now, 0)).toEqual([])
    expect(await reward([2, 3, 4], [10, 9, 12], day.now, 2)).toEqual([
      'DailyTaskCompletedEvent',
      'RewardsDistributedEvent',
      'DailyTaskCompletedEvent',
      'RewardsDistributedEvent',
    ])
    expect([await countOf(2, day.now), await countOf(3, day.now), await ofDay(day.now)]).toEqual([10, 9, [2, 0]])
    expect([await read('slotRewards', 2), await read('slotRewardPoints', other(), 2)]).toEqual([45n, 45n])
  })

  test('behavior: a call without the number marks a slot as paid, and nothing can be claimed', async () => {
    await reward([3], [10], day.now - 1, 2)
    const before = await read('slotRewards', 4)
    expect(await reward([4], [10], day.now - 1, 0)).toEqual(['DailyTaskCompletedEvent'])
    expect([await read('slotRewards', 4), await ofDay(day.now - 1)]).toEqual([before, [2, 0]])
  })

  test('behavior: the first number stays while slots remain', async () => {
    await reward([2], [10], day.now, 3)
    await reward([3], [10], day.now, 8)
    expect(await ofDay(day.now)).toEqual([3, 1])
  })

  test('behavior: a slot that is burned is passed over', async () => {
    await call(owner(), 'burnNode', 9)
    expect(await reward([9, 10], [10, 10], day.now, 1)).toEqual([])
    expect([await countOf(9, day.now), await ofDay(day.now)]).toEqual([0, [1, 1]])
  })

  test('error: who, which day, what was paid already', async () => {
    expect(await refusal([2], [1], day.now, 0, owner())).toBe('E04')
    expect(await refusal([], [], day.now, 1, owner())).toBe('E04')
    expect(await refusal([2], [1], day.now + 1, 0)).toBe('E38')
    expect(await refusal([2], [1], day.now - 2, 0)).toBe('E38')
    await reward([2], [10], day.now, 1)
    expect(await refusal([2], [11], day.now, 0)).toBe('E48')
    expect(await refusal([3], [1], day.now, 1)).toBe('E47')
    expect(await refusal([3], [10], day.now, 0)).toMatch(/overflow|OVERFLOW|Panic/) // nobody is left to be paid
    expect(await refused(owner(), 'updateDailySnapshotQuota', other(), 0)).toBe('E45')
  })
})
