/** Closed epochs that should be on the chain by now: that nothing is anchored is no pause without an end. */
import type { ChainReader } from './chain.ts'
import { type ChainView, type EpochView, nameOf } from './chain-view.ts'
import type { Findings } from './report.ts'

/** Behind the contract's window for batches the ending is called, and has to get deep. In blocks as the contract counts. */
const GRACE_BLOCKS = 256
/** Block time since the close: for the case that no node was asked, or the log does not say how the contract counts blocks. */
const SECONDS_MAX = 3_600

export async function compareUnanchored(
  view: ChainView,
  chain: Pick<ChainReader, 'batchWindow'> | undefined,
  findings: Findings,
): Promise<void> {
  const newest = view.heads.at(-1)
  if (!newest) return
  const windows = new Map<string, number>()
  for (const epoch of view.epochs.values()) {
    const { close, dataMarket } = epoch
    if (!close || epoch.isDecided || view.hasLostRelease(epoch)) continue
    if (chain && !windows.has(dataMarket)) windows.set(dataMarket, await chain.batchWindow(dataMarket))
    const window = windows.get(dataMarket)
    const blocks = blocksSince(epoch, newest.contractBlock)
    const isOver = window !== undefined && blocks !== undefined && blocks > window + GRACE_BLOCKS
    const seconds = newest.timestamp - close.blockTimestamp
    const resting = findings.of(1_000 * close.blockTimestamp, 'anchors', 'batches')
    if (isOver)
      resting.add(
        'skipped',
        nameOf(epoch),
        `not anchored ${blocks} blocks after its release; the window for batches has ${window}`,
      )
    else if ((window === undefined || blocks === undefined) && seconds > SECONDS_MAX)
      resting.add('skipped', nameOf(epoch), `not anchored ${seconds} s after it closed`)
  }
}

const blocksSince = ({ releaseContractBlock }: EpochView, now: number | undefined): number | undefined =>
  releaseContractBlock === undefined || now === undefined ? undefined : now - releaseContractBlock
