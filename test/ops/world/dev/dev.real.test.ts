/**
 * The first check of the product: `dev` on an empty directory anchors epochs, every injected bad submission has the verdict
 * it deserves, the chain holds the batches' roots, and a second start goes on where the first stopped.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { directoryPaths } from '../../../../ops/ground/directory-paths.ts'
import { DEV_ROLE_INDEX, devAccount } from '../../../../ops/world/chain/dev-accounts.ts'
import { FRAME_KINDS, type Kind, WRONG_KINDS } from '../../../../ops/world/snapshotters/kinds.ts'
import { newFolder } from '../../../folder.ts'
import { auditClean } from '../../audit-clean.ts'
import { readLedger, readOutcome } from '../../ledger.ts'
import { runSequencer, startSequencer } from '../../run-sequencer.ts'
import { expectNoSecrets } from '../../secrets.ts'

const directory = newFolder()
const dev = [
  'dev',
  '--data-dir',
  directory,
  '--json',
  '--listen-port',
  '0',
  '--ops-port',
  '0',
  '--chain-port',
  '0',
  '--bad-share',
  '0.5',
]
const written: string[] = []

describe('dev', () => {
  it('default: anchors 5 epochs on an empty directory', async () => {
    const run = await runSequencer([...dev, '--epochs', '5', '--log-level', 'info'])
    expect(run.exitCode, run.stderr).toBe(0)
    expect(run.events.filter(({ event }) => event === 'anchored').length).toBeGreaterThanOrEqual(5)
    written.push(run.stdout, run.stderr)
  })

  it('behavior: the log on standard error tells an epoch from its release to its end', () => {
    const lines = written[1]!
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const ofEpoch = lines.filter(({ epoch }) => epoch === 2)
    const told = ['released', 'closed', 'summarised', 'anchored'].map((what) => `epoch-${what}`)
    for (const event of [...told, 'batch-stored', 'batch-mined', 'batch-final'])
      expect(ofEpoch, event).toContainEqual(expect.objectContaining({ event, level: 'info' }))
    for (const event of ['starting', 'running', 'role-up', 'rebalanced'])
      expect(lines, event).toContainEqual(expect.objectContaining({ event }))
  })

  it('behavior: nothing that it writes has a key, a signature or a signed transaction in it', () => {
    const peerKey = readFileSync(directoryPaths(directory).peerKey, 'utf8')
    expectNoSecrets(written.join(''), [peerKey, devAccount(DEV_ROLE_INDEX.sequencer).privateKey])
  })

  it('behavior: a second start goes on where the first stopped, and Ctrl-C ends it cleanly', async () => {
    const second = startSequencer(dev)
    await second.waitFor(({ event }) => event === 'anchored')
    second.child.kill('SIGINT')
    const run = await second.finished
    expect(run.exitCode, run.stderr).toBe(0)
  })

  it('behavior: the audit of log and contract finds nothing lost, doubled, skipped or different', async () => {
    expect((await auditClean('--data-dir', directory)).epochsOnChain).toBeGreaterThanOrEqual(6)
  })

  it('behavior: every injected submission has a verdict that it deserves', async () => {
    const ledger = readLedger(directory)
    const { verdicts, deadLetters } = await readOutcome(directory)
    const judged = new Set<Kind>()
    for (const { submissionId, kind, expected } of ledger) {
      const reasons = verdicts.get(submissionId)
      if (!reasons) continue // its epoch is still open; that nothing is lost, the audit says
      // a busy machine sends some too late; whether the window was over, the audit says
      if (reasons.every((reason) => reason === 'EPOCH_CLOSED') && !expected.includes('EPOCH_CLOSED')) continue
      for (const reason of reasons) expect(expected, `${kind} ${submissionId}`).toContain(reason)
      judged.add(kind)
    }
    for (const { kind, expected } of ledger.filter(({ kind }) => FRAME_KINDS.has(kind))) {
      expect(deadLetters, kind).toContain(expected[0])
      judged.add(kind)
    }
    expect(WRONG_KINDS.filter((kind) => !judged.has(kind))).toEqual([])
  })
})
