/** The contract of the simulation beside that of the development chain: the same calls, the same refusals, the same in both. */
import { expect, it } from 'vitest'
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { devProtocolState } from '../../ops/world/chain/contracts/dev-contract.ts'
import { devAccount } from '../../ops/world/chain/dev-accounts.ts'
import { type AnchorWorld, anchorWorlds, RIVAL } from '../connectors/evm/anchor-effects/anchor-world.ts'
import { type RewardCall, RewardsContract, UNDERFLOW } from './rewards-contract.ts'

const { world } = anchorWorlds()
const SLOTS = [1, 2, 3, 4]
const CALLS = 80
const POOL = 900
const REFUSALS = ['E38', 'E47', 'E48', UNDERFLOW]

const argsOf = ({ dataMarket, slotIds, submissions, day, eligibleNodes }: RewardCall) => [
  dataMarket,
  slotIds,
  submissions,
  day,
  eligibleNodes,
]

async function refusalOf(w: AnchorWorld, call: RewardCall): Promise<string | undefined> {
  const data = devProtocolState().interface.encodeFunctionData('updateRewards', argsOf(call))
  try {
    await w.provider.call({ from: RIVAL.address, to: w.chain.protocolState, data })
    return undefined
  } catch (error) {
    const { reason } = error as { reason?: string }
    return reason === 'Panic due to OVERFLOW(17)' ? UNDERFLOW : reason // 0x11
  }
}

const heldOnChain = async (w: AnchorWorld, day: number) => ({
  eligibleNodes: Number(await w.read('devEligibleNodes', w.market, day)),
  remaining: Number(await w.read('devSlotsRemaining', w.market, day)),
  counts: await Promise.all(
    SLOTS.map(async (slotId) => Number(await w.read('slotSubmissionCount', w.market, slotId, day))),
  ),
  paid: await Promise.all(SLOTS.map((slotId) => w.read('devIsRewarded', w.market, day, slotId))),
})

function heldInMemory(contract: RewardsContract, dataMarket: string, day: number) {
  const { eligibleNodes, remaining, counts, paid } = contract.of(dataMarket, day)
  return {
    ...{ eligibleNodes, remaining },
    counts: SLOTS.map((slotId) => counts.get(slotId) ?? 0),
    paid: SLOTS.map((slotId) => paid.has(slotId)),
  }
}

it('default: whatever is called, both refuse the same, hold the same, and credit the same', {
  timeout: 600_000,
}, async () => {
  const random = new SeededRandom(38)
  const w = await world({
    slots: SLOTS.map((slotId) => ({ slotId, owner: devAccount(20).address })),
    sequencers: [RIVAL.address],
  })
  await w.send('evm_setAutomine', [true])
  const { owner } = w.chain.accounts
  const asOwner = (name: string, ...args: readonly unknown[]) => w.callAs(owner, name, args)
  await asOwner('updateRewardPoolSize', w.market, POOL)
  let dayCounter = 1
  let quota = 2
  await asOwner('updateDailySnapshotQuota', w.market, quota)
  const burned = new Set<number>()
  const contract = new RewardsContract()
  const credits = new Map(SLOTS.map((slotId) => [slotId, 0]))
  const met = new Set<string>()
  for (let i = 0; i < CALLS; i++) {
    if (random.chance(0.12)) await asOwner('loadCurrentDay', w.market, ++dayCounter)
    if (random.chance(0.08)) {
      quota = 1 + random.below(3)
      await asOwner('updateDailySnapshotQuota', w.market, quota)
    }
    if (i === CALLS / 2) {
      burned.add(2)
      await asOwner('burnNode', 2)
    }
    const slotIds = SLOTS.filter(() => random.chance(0.5))
    const day = Math.max(1, dayCounter - random.pick([0, 0, 0, 1, 1, 2])!)
    const submissions = slotIds.map(() => random.below(4))
    const eligibleNodes = random.pick([0, 0, 1, 2, 3])!
    const call = { dataMarket: w.market, slotIds, submissions, day, eligibleNodes }
    const before = new Set(contract.of(w.market, day).credited)
    const refused = contract.updateRewards(call, { dayCounter, quota, burned })
    expect(await refusalOf(w, call), `call ${i}: ${JSON.stringify(call)}`).toBe(refused)
    if (refused !== undefined) {
      met.add(refused)
      continue
    }
    await w.callAs(RIVAL, 'updateRewards', argsOf(call))
    expect(await heldOnChain(w, day)).toEqual(heldInMemory(contract, w.market, day))
    const now = contract.of(w.market, day)
    for (const slotId of now.credited)
      if (!before.has(slotId)) credits.set(slotId, credits.get(slotId)! + Math.floor(POOL / now.eligibleNodes))
  }
  for (const slotId of SLOTS) expect(Number(await w.read('slotRewards', slotId))).toBe(credits.get(slotId))
  expect([...met].sort()).toEqual(REFUSALS)
})
