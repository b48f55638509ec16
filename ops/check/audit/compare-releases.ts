/** The releases in the log against the releases in the contract, and the fate of releases that left the chain. */
import type { ChainReader, ReleasedEpoch } from './chain.ts'
import { type ChainView, type EpochView, nameOf } from './chain-view.ts'
import { compareUnanchored } from './compare-unanchored.ts'
import type { Findings } from './report.ts'
import type { ServedMarkets } from './served-markets.ts'

export interface ReleaseSources {
  readonly view: ChainView
  readonly markets: ServedMarkets
  readonly findings: Findings
  readonly chain: ChainReader | undefined
}

/** Calls that go to the node as one request. */
const CALLS_AT_ONCE = 50

/**
 * @param blocks releases of the log. Epochs that the contract released from the first to the last but one (the last may be
 *   incomplete) are compared, as far as the market was served.
 */
export async function compareReleases(
  sources: ReleaseSources,
  blocks: { readonly first: number; readonly last: number } | undefined,
): Promise<void> {
  for (const { dataMarket, epochId, block, why } of sources.view.refused)
    sources.findings.note(`epoch ${epochId} of ${dataMarket}`, `released in block ${block}, and refused: ${why}`)
  const seen = blocks ? await compareWithChain(sources, blocks) : []
  const refused = [...sources.view.refused, ...seen]
  for (const { dataMarket, before, from, to } of sources.view.gaps) {
    const known = refused.filter((one) => one.dataMarket === dataMarket && one.epochId >= from && one.epochId <= to)
    if (new Set(known.map(({ epochId }) => epochId)).size < to - from + 1)
      sources.findings.add('skipped', `epoch ${before} of ${dataMarket}`, `no release of epochs ${from} to ${to}`)
  }
}

/** @returns releases that opened no epoch, since a number of them cannot be: an older clock did not write down which */
async function compareWithChain(
  sources: ReleaseSources,
  blocks: { readonly first: number; readonly last: number },
): Promise<readonly { readonly dataMarket: string; readonly epochId: number }[]> {
  const { view, markets, findings, chain } = sources
  const refused: { dataMarket: string; epochId: number }[] = []
  const released = new Map<string, ReleasedEpoch[]>()
  for (const dataMarket of chain ? markets.all : [])
    for (const release of await chain!.releasedEpochs(dataMarket, blocks.first, blocks.last - 1)) {
      if (!markets.wasServed(dataMarket, release.blockNumber)) continue
      const key = `${dataMarket}/${release.epochId}`
      const before = released.get(key)
      // The market's owner may release an epoch once more; it opened with the first release.
      if (before) before.push(release)
      else {
        released.set(key, [release])
        if (await isRefused(dataMarket, release, sources)) refused.push({ dataMarket, epochId: release.epochId })
        else compareRelease(dataMarket, release, sources)
      }
    }
  for (const [key, epoch] of view.epochs)
    if (epoch.close && view.hasLostRelease(epoch)) tellOfLost(epoch, released.get(key)?.[0], sources)
  await compareUnanchored(view, chain, findings)
  if (chain) await compareCounting(releasedOnce(view, released), chain, findings)
  if (chain) await compareDays(releasedOnce(view, released), chain, findings)
  return refused
}

/** Blocks or seconds: a release with a longer window opens no epoch. */
const WINDOW_MAX = 2n ** 21n

async function isRefused(
  dataMarket: string,
  release: ReleasedEpoch,
  { view, findings, chain }: ReleaseSources,
): Promise<boolean> {
  const { epochId, blockNumber, isAbsurd } = release
  if (view.epoch(dataMarket, epochId)) return false
  const where = `epoch ${epochId} of ${dataMarket}`
  const told = refusalOf(release, dataMarket, view)
  const window = isAbsurd ? undefined : await chain!.windowAt(dataMarket, blockNumber)
  const isFine = !isAbsurd && window !== undefined && window <= WINDOW_MAX
  const instead = `the contract has a window of ${window} as of its release`
  if (told && isFine) findings.add('mismatches', where, `refused (${told.why}), and ${instead}`)
  if (told) return true
  if (!isAbsurd && (window ?? 0n) <= WINDOW_MAX) return false
  findings.note(where, `released in block ${blockNumber} with a number that cannot be; it opened none`)
  return true
}

const refusalOf = ({ epochId, blockNumber }: ReleasedEpoch, dataMarket: string, { refused }: ChainView) =>
  refused.find((one) => one.dataMarket === dataMarket && one.block === blockNumber && one.epochId === epochId)

function compareRelease(
  dataMarket: string,
  { epochId, blockNumber }: ReleasedEpoch,
  { view, findings }: ReleaseSources,
): void {
  const epoch = view.epoch(dataMarket, epochId)
  const where = `epoch ${epochId} of ${dataMarket}`
  const missing = `the contract released it in block ${blockNumber}; the log has no such release`
  if (!epoch) findings.add('skipped', where, missing)
  else if (!epoch.close || !view.hasLostRelease(epoch))
    findings.same(where, 'release block', blockNumber, epoch.releaseBlock)
}

/** An epoch is counted once: what was closed by the first release is not opened by the next one. */
function tellOfLost(epoch: EpochView, again: ReleasedEpoch | undefined, { findings, chain }: ReleaseSources): void {
  const lost = `its release in block ${epoch.releaseBlock} left the chain after its batches were cut`
  const kept = `it was released again in block ${again?.blockNumber}, and its batches are the batches of the first release`
  const open = chain ? 'it is not released again so far' : 'whether it was released again only a node can tell'
  findings.tell(nameOf(epoch), `${lost}; ${again ? kept : open}`)
}

const releasedOnce = (view: ChainView, released: ReadonlyMap<string, readonly ReleasedEpoch[]>): EpochView[] =>
  [...released].flatMap(([key, { length }]) => {
    const epoch = view.epochs.get(key)
    return epoch && length === 1 && !view.hasLostRelease(epoch) ? [epoch] : []
  })

/** Whether the contract keeps the release block under the number that the window was measured from. */
async function compareCounting(epochs: readonly EpochView[], chain: ChainReader, findings: Findings): Promise<void> {
  const counted = epochs.filter(({ releaseContractBlock }) => releaseContractBlock !== undefined)
  for (let from = 0; from < counted.length; from += CALLS_AT_ONCE) {
    const asked = counted.slice(from, from + CALLS_AT_ONCE)
    const kept = await Promise.all(asked.map((epoch) => chain.releaseBlock(epoch.dataMarket, epoch.epochId)))
    for (const [at, epoch] of asked.entries())
      findings.same(nameOf(epoch), 'release block as the contract counts', kept[at], epoch.releaseContractBlock)
  }
}

/** Day and quota as of the release, where no later release of the market lies in the same block. */
async function compareDays(epochs: readonly EpochView[], chain: ChainReader, findings: Findings): Promise<void> {
  const blockOf = ({ dataMarket, releaseBlock }: EpochView): string => `${dataMarket}/${releaseBlock}`
  const newest = new Map(epochs.toSorted((a, b) => a.epochId - b.epochId).map((epoch) => [blockOf(epoch), epoch]))
  const inDays = [...newest.values()].filter(({ day }) => day > 0)
  let unknown = 0
  for (let from = 0; from < inDays.length; from += CALLS_AT_ONCE) {
    const asked = inDays.slice(from, from + CALLS_AT_ONCE)
    const kept = await Promise.all(asked.map(({ dataMarket, releaseBlock }) => chain.dayAt(dataMarket, releaseBlock)))
    for (const [at, epoch] of asked.entries()) {
      const there = kept[at]
      if (!there) unknown++
      else {
        findings.same(nameOf(epoch), 'day as of its release', there.day, epoch.day)
        findings.same(nameOf(epoch), 'daily quota as of its release', there.dailyQuota, epoch.dailyQuota)
      }
    }
  }
  if (unknown > 0)
    findings.note('days', `the node has no state of the blocks in which ${unknown} epochs were released: not compared`)
}
