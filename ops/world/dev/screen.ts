/** The screen of `dev`: a table that is redrawn on a terminal, one line per event elsewhere, JSON lines with --json. */
import Table from 'cli-table3'
import { isBatch } from '../../../schemas/anchor-keys.ts'
import { isAccepted } from '../../../topology/verdict.ts'
import type { Lines, Output } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { plural } from '../../base/words.ts'
import { isLost } from '../../reading/epoch-phases.ts'
import { lostOf, outcomeOf, phaseOf } from '../../reading/epoch-progress.ts'
import { lostWords, secondsToAnchor } from '../../reading/progress.ts'
import type { FollowedEpoch, ProgressListener } from '../../reading/progress-listener.ts'

const ROWS_MAX = 12
const REDRAW_MS = 500
/** Rows of a table without epochs, and the line below it. */
const FRAME_ROWS = 5

export interface Screen extends ProgressListener {
  /** Everything runs; where it is reached. */
  running(at: Addresses): void
  /** A line for the operator, e.g. a warning. */
  say(text: string): void
  close(): void
}

export interface Addresses {
  /** Multiaddr that snapshotters dial. */
  readonly intake: string
  readonly ops: string
  readonly probes: string
  readonly rpc: string
  readonly protocolState: string
  readonly markets: readonly string[]
  /** In the contract, and not served until they are added. */
  readonly spareMarkets: readonly string[]
}

export interface ScreenOptions {
  readonly out: Output
  readonly json: boolean
  readonly now: () => number
}

export function createScreen(options: ScreenOptions): Screen {
  if (options.json) return jsonLines(options)
  return options.out.isTerminal ? liveTable(options) : plainLines(options)
}

const name = (epoch: FollowedEpoch): string => `epoch ${epoch.epochId} of ${epoch.dataMarket.slice(0, 8)}`
const batchAnchors = (epoch: FollowedEpoch) => [...epoch.anchors].filter(([batchIndex]) => isBatch({ batchIndex }))
const refused = (epoch: FollowedEpoch): number =>
  [...epoch.reasons].reduce((sum, [reason, n]) => sum + (isAccepted(reason as never) ? 0 : n), 0)
const reasonsOf = (epoch: FollowedEpoch): string =>
  [...epoch.reasons]
    .sort()
    .map(([reason, n]) => `${reason} ${n}`)
    .join(', ')
const timeToAnchor = (epoch: FollowedEpoch): string => secondsToAnchor(epoch)?.toFixed(1).concat(' s') ?? ''

const addressLines = ({ intake, ops, probes, rpc, protocolState, markets, spareMarkets }: Addresses): Lines => [
  `console       ${ops}/`,
  `intake        ${intake}`,
  `metrics       ${ops}/metrics (also /readyz)`,
  `probes        ${probes}/readyz (also /metrics)`,
  `chain         ${rpc}, ProtocolState ${protocolState}`,
  `data markets  ${markets.join(', ')}`,
  ...(spareMarkets.length > 0 ? [`spare markets ${spareMarkets.join(', ')}`] : []),
]

function plainLines({ out }: ScreenOptions): Screen {
  const say = (text: string) => out.print(text)
  return {
    say,
    running: (at) => out.print(...addressLines(at)),
    released: (epoch) => say(`${name(epoch)}: released in block ${epoch.progress.releaseBlock}`),
    closed: (epoch) => say(`${name(epoch)}: closed by block ${epoch.progress.closeBlock}`),
    summarised(epoch) {
      const { counted, projects, batches } = epoch.progress
      say(
        `${name(epoch)}: ${plural(counted ?? 0, 'submission')} counted for ${plural(projects, 'project')}, ${plural(batches ?? 0, 'batch', 'batches')}`,
      )
    },
    anchorChanged(epoch, batchIndex, anchor, before) {
      if (!isBatch({ batchIndex }) || anchor.state === before?.state) return
      if (anchor.state === 'MINED')
        say(`${name(epoch)}: batch ${batchIndex} ${anchor.cid} mined in block ${anchor.blockNumber}`)
      if (isLost(anchor.state)) say(`${name(epoch)}: batch ${batchIndex} ${anchor.state}: ${printable(anchor.error)}`)
    },
    anchored(epoch) {
      const time = timeToAnchor(epoch)
      const verdicts = reasonsOf(epoch)
      say(`${name(epoch)}: anchored${time && `, ${time} after its release`}${verdicts && `; ${verdicts}`}`)
    },
    endedWithoutBatch: (epoch, outcome) => say(`${name(epoch)}: ended without a batch: ${outcome}`),
    missed: (epoch) => say(`${name(epoch)}: ended, not anchored: ${lostWords(epoch)}`),
    close() {},
  }
}

function jsonLines({ out }: ScreenOptions): Screen {
  const say = (event: string, data: object) => out.printJson({ event, ...data })
  const id = ({ dataMarket, epochId }: FollowedEpoch) => ({ dataMarket, epochId })
  return {
    say: (text) => say('note', { text }),
    running: (at) => say('running', at),
    released: (epoch) => say('released', { ...id(epoch), releaseBlock: epoch.progress.releaseBlock }),
    closed: (epoch) => say('closed', { ...id(epoch), closeBlock: epoch.progress.closeBlock }),
    summarised(epoch) {
      const { batches, projects, counted: submissions } = epoch.progress
      say('batched', { ...id(epoch), batches, projects, submissions })
    },
    anchorChanged: (epoch, batchIndex, anchor) =>
      say('anchor', {
        ...id(epoch),
        batchIndex,
        state: anchor.state,
        cid: anchor.cid,
        transactionHash: anchor.transactionHash,
        error: anchor.error,
      }),
    anchored: (epoch) =>
      say('anchored', {
        ...id(epoch),
        seconds: secondsToAnchor(epoch) ?? null,
        verdicts: Object.fromEntries(epoch.reasons),
      }),
    endedWithoutBatch: (epoch, outcome) => say('without-batch', { ...id(epoch), outcome }),
    missed: (epoch) => say('missed', { ...id(epoch), batches: Object.fromEntries(lostOf(epoch.progress)) }),
    close() {},
  }
}

function liveTable({ out }: ScreenOptions): Screen {
  const epochs = new Map<string, FollowedEpoch>()
  let drawn = 0
  const keep = (epoch: FollowedEpoch) => {
    epochs.set(`${epoch.dataMarket}/${epoch.epochId}`, epoch)
    if (epochs.size > ROWS_MAX) epochs.delete(epochs.keys().next().value!)
  }
  /** Text above the table, which is drawn anew below it. A line that is wider or a table that is higher than the terminal would not be erased whole. */
  const draw = (...above: Lines) => {
    const { rows, columns } = out.size ?? { rows: Number.POSITIVE_INFINITY, columns: undefined }
    const shown = [...epochs.values()].slice(-Math.max(1, rows - FRAME_ROWS))
    const table = shown.length === 0 ? [] : tableOf(shown).split('\n')
    out.redraw(drawn, [...above, ...table.map((line) => line.slice(0, columns))])
    drawn = table.length
  }
  const timer = setInterval(() => epochs.size > 0 && draw(), REDRAW_MS)
  const say = (text: string) => draw(text)
  return {
    say,
    running: (at) => draw(...addressLines(at), ''),
    released: keep,
    closed: keep,
    anchorChanged: keep,
    close() {
      clearInterval(timer)
      draw()
    },
  }
}

function tableOf(epochs: readonly FollowedEpoch[]): string {
  const table = new Table({
    head: ['epoch', 'market', 'released', 'closed', 'counted', 'refused', 'projects', 'batches', 'mined', 'state'],
    style: { head: [], border: [], compact: true },
  })
  for (const epoch of epochs) {
    const anchors = batchAnchors(epoch)
    const mined = anchors.filter(([, { state }]) => state === 'MINED' || state === 'FINAL').length
    const { epochId, dataMarket, progress } = epoch
    const { releaseBlock, closeBlock, counted, projects, batches } = progress
    table.push([
      epochId,
      dataMarket.slice(0, 8),
      releaseBlock ?? '',
      closeBlock ?? '',
      counted ?? 0,
      refused(epoch),
      projects,
      batches ?? '',
      mined,
      stateOf(epoch),
    ])
  }
  return table.toString()
}

function stateOf(epoch: FollowedEpoch): string {
  const [phase, outcome] = [phaseOf(epoch.progress), outcomeOf(epoch.progress)]
  return [`${phase}${outcome === null ? '' : `, ${outcome}`}`, epoch.endedAt === undefined ? '' : timeToAnchor(epoch)]
    .filter(Boolean)
    .join(' ')
}
