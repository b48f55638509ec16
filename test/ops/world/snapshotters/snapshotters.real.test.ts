import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FRAME_KINDS, KINDS, type Kind } from '../../../../ops/world/snapshotters/kinds.ts'
import { runLoad } from '../../../../ops/world/snapshotters/load.ts'
import { runSnapshotters, type SnapshottersOptions } from '../../../../ops/world/snapshotters/run.ts'
import { slotWallet } from '../../../../ops/world/snapshotters/wallets.ts'
import { domainOf, recoverSigner } from '../../../../topology/shared/signature.ts'
import { ScriptedLog, Stage, until } from '../../../connectors/libp2p/harness.ts'
import { hashOf, ScriptedNode } from './scripted-node.ts'

const MARKET = `0x${'a'.repeat(40)}`
const options = (to: string, rpcUrl: string): SnapshottersOptions => ({
  to,
  rpcUrl,
  chainId: 31337,
  protocolState: `0x${'5'.repeat(40)}`,
  dataMarkets: [MARKET],
  slots: 40,
  projects: 6,
  seed: 7,
  badShare: 0.5,
  minorityShare: 0.1,
  connections: 4,
  encryption: 'both',
  spreadMs: 100,
  lateByEpochs: 6,
  deadlineBlocks: 100,
})

interface LedgerLine {
  readonly submissionId: string
  readonly slotId: number
  readonly epochId: number
  readonly kind: Kind
  readonly expected: readonly string[]
}
const ledgerOf = async (file: string): Promise<LedgerLine[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))

test('default: every kind arrives as the ledger says, signed by the keys that follow from the seed', async () => {
  await using stage = new Stage()
  await using node = new ScriptedNode(MARKET)
  const running = await stage.intake()
  const ledger = join(await stage.directory(), 'ledger.jsonl')
  const epochs = 4
  const sending = runSnapshotters(
    { ...options(running.intake.multiaddrs[0]!, await node.start()), epochs, ledger },
    new AbortController().signal,
  )
  let released = 20
  const releasing = setInterval(() => node.release(released++), 250) // epochs before they follow the node are not seen
  const report = await sending.finally(() => clearInterval(releasing))
  const lines = await ledgerOf(ledger)
  expect(report.epochs).toBeGreaterThanOrEqual(epochs)
  expect(report.sent).toBe(lines.length)
  expect(new Set(lines.map(({ kind }) => kind))).toEqual(new Set(Object.keys(KINDS)))

  const whole = lines.filter(({ kind }) => !FRAME_KINDS.has(kind))
  await until(() => running.log.submissions.length === whole.length, 'all in the log')
  const { submissions } = running.log
  expect(submissions.map(({ submissionId }) => submissionId).sort()).toEqual(
    whole.map(({ submissionId }) => submissionId).sort(),
  )
  const stats = running.intake.stats()
  const sentOf = (kind: Kind) => lines.filter((line) => line.kind === kind).length
  expect(stats).toMatchObject({
    oversize: sentOf('oversize'),
    malformed: sentOf('malformed-json') + sentOf('malformed-bytes'),
  })

  const domain = domainOf(options('', ''))
  const byId = new Map(submissions.map((submission) => [submission.submissionId, submission]))
  for (const { submissionId, slotId, kind } of whole.filter(({ kind }) => kind === 'good')) {
    const submission = byId.get(submissionId)!
    expect(recoverSigner(submission, domain).signer, kind).toBe(slotWallet(7, slotId).address)
    expect(submission.header).toBe(hashOf(submission.deadline - 100))
  }
})

test('behavior: an intake that restarts and a node that is down do not stop them', async () => {
  await using stage = new Stage()
  await using node = new ScriptedNode(MARKET)
  const log = new ScriptedLog()
  const first = await stage.intake({ log })
  const [address] = first.intake.multiaddrs
  const stop = new AbortController()
  const failures: unknown[] = []
  const sending = runSnapshotters(
    { ...options(address!, await node.start()), badShare: 0, onError: (error) => failures.push(error) },
    stop.signal,
  )
  const epochInLog = (epochId: number) =>
    new Set(log.submissions.filter((s) => s.epochId === epochId).map((s) => s.slotId))
  await new Promise((resolve) => setTimeout(resolve, 300))
  node.release(1)
  await until(() => epochInLog(1).size === 40, 'the first epoch')
  await first.intake.close()
  node.down = true
  await until(() => failures.length > 0, 'the node is missed')
  node.down = false
  node.release(2)
  await new Promise((resolve) => setTimeout(resolve, 500))
  await stage.intake({ log, directory: first.directory, listen: address!.split('/p2p/')[0]! })
  await until(() => epochInLog(2).size === 40, 'the second epoch, after the restart')
  stop.abort()
  expect((await sending).reconnects).toBeGreaterThan(0)
})

test('behavior: load is signed first, is distinct, and all of it arrives', async () => {
  await using stage = new Stage()
  await using node = new ScriptedNode(MARKET)
  const running = await stage.intake()
  const { dataMarkets: _, ...rest } = options(running.intake.multiaddrs[0]!, await node.start())
  const load = { ...rest, dataMarket: MARKET, epochId: 3, presign: 5_000 }
  const report = await runLoad(load, new AbortController().signal)
  expect(report.submissions).toBe(5_000)
  await until(() => running.log.records.length === 5_000, 'all in the log')
  expect(new Set(running.log.submissions.map(({ signature }) => signature)).size).toBe(5_000)
})
