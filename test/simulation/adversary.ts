/**
 * Somebody with slots of its own who plays against the others, by the seed: its records go into `submissions` beside theirs.
 * It knows what honest slots sign as soon as they do, or before, and can write anything but what only others can sign.
 */
import { SeededRandom } from '../../connectors/log/simulated/seeded-random.ts'
import { slotWallet } from '../../ops/world/snapshotters/wallets.ts'
import type { SlotOwner, Submission } from '../../schemas/types.ts'
import { ATTACKS, orders } from './attacks.ts'
import { BEGIN_MS, type ChainStory, EPOCHS } from './chain-story.ts'
import type { Hostile, Plot } from './plot.ts'
import type { ScriptedSubmission } from './submissions.ts'

const FIRST_SLOT = 7
const SLOTS = 3
const ATTACKS_PER_RUN = 6
const QUOTA = 2
const EARLY_MS_MAX = 3_000

export function plotOf(
  seed: number,
  submissions: readonly ScriptedSubmission[],
  story: ChainStory,
  ids: readonly number[],
) {
  const random = new SeededRandom(seed ^ 0xbadbad)
  const wallets = Array.from({ length: SLOTS + 1 }, (_, i) => slotWallet(2, FIRST_SLOT + i))
  const owners = wallets.slice(0, SLOTS).map(({ slotId, address: owner }): SlotOwner => {
    const first = { sinceBlock: 0, owner, active: true, sinceFork: 0, untilFork: 0 }
    if (slotId !== FIRST_SLOT) return { slotId, history: [first] }
    const sold = { ...first, sinceBlock: 2 + random.below(8), owner: wallets[SLOTS]!.address }
    return { slotId, history: [first, sold] }
  })
  const slots = wallets.slice(0, SLOTS).map(({ slotId, privateKey }) => ({
    slotId,
    keys: slotId === FIRST_SLOT ? [privateKey, wallets[SLOTS]!.privateKey] : [privateKey],
  }))
  const honest = submissions.map((one) => (random.chance(0.25) ? earlier(one, random) : one))
  const plot: Plot = { random, story, ids, slots, honest, steady: steadyOf(honest) }
  const names = Object.keys(ATTACKS)
  const plays: Hostile[] = []
  for (let i = 0; i < ATTACKS_PER_RUN; i++) {
    const [attack] = names.splice(random.below(names.length), 1)
    for (const record of ATTACKS[attack!]!(plot, 1 + random.below(EPOCHS))) plays.push({ ...record, attack: attack! })
  }
  const other = new SeededRandom(seed ^ 0x0dde45)
  for (const record of orders({ random: other })) plays.push({ ...record, attack: 'orders' })
  return { slots: owners, honest, plays: plays.sort((a, b) => a.atMs - b.atMs) }
}

/** As by a snapshotter that knows of a block before the clock does. */
function earlier(one: ScriptedSubmission, random: SeededRandom): ScriptedSubmission {
  const atMs = Math.max(0, one.atMs - random.below(EARLY_MS_MAX))
  return { ...one, atMs, submission: { ...one.submission, receivedAt: BEGIN_MS + atMs } }
}

/** What is signed, as one text. */
export const messageOf = ({ dataMarket, slotId, deadline, epochId, projectId, snapshotCid }: Submission): string =>
  JSON.stringify([dataMarket.toLowerCase(), slotId, deadline, epochId, projectId, snapshotCid])

function steadyOf(honest: readonly ScriptedSubmission[]): ScriptedSubmission[] {
  const signed = new Map<string, Map<string, string>>()
  const ownerOf = ({ dataMarket, epochId, slotId }: Submission) => `${dataMarket}/${epochId}/${slotId}`
  for (const { submission } of honest) {
    const messages = signed.get(ownerOf(submission)) ?? new Map<string, string>()
    signed.set(ownerOf(submission), messages.set(messageOf(submission), submission.projectId))
  }
  return honest.filter(({ submission }) => {
    const messages = signed.get(ownerOf(submission))!
    return messages.size <= QUOTA && new Set(messages.values()).size === messages.size
  })
}
