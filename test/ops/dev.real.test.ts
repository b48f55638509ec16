/**
 * The first check of the product: `dev` on an empty directory anchors epochs, every injected bad submission has the verdict
 * it deserves, the chain holds the batches' roots, and a second start goes on where the first stopped.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { runSequencer, startSequencer } from './run-sequencer.ts'

const directory = mkdtempSync(join(tmpdir(), 'sequencer-dev-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))
const dev = ['dev', '--data-dir', directory, '--json', '--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
const clean = { lost: 0, duplicated: 0, skipped: 0, mismatches: 0 }

describe('dev', () => {
  it('default: anchors 5 epochs on an empty directory', async () => {
    const run = await runSequencer([...dev, '--epochs', '5'])
    expect(run.exitCode, run.stderr).toBe(0)
    expect(run.events.filter(({ event }) => event === 'anchored').length).toBeGreaterThanOrEqual(5)
  })

  it('behavior: a second start goes on where the first stopped, and Ctrl-C ends it cleanly', async () => {
    const second = startSequencer(dev)
    await second.waitFor(({ event }) => event === 'anchored')
    second.child.kill('SIGINT')
    const run = await second.finished
    expect(run.exitCode, run.stderr).toBe(0)
  })

  it('behavior: the audit of the closed log finds nothing lost, doubled, skipped or different', async () => {
    const audit = await runSequencer(['audit', '--data-dir', directory, '--json'])
    expect(JSON.parse(audit.stdout), audit.stderr).toMatchObject(clean)
    expect(audit.exitCode).toBe(0)
  })

  it('behavior: every injected wrong submission has a verdict that it deserves', async () => {
    const ledger = readFileSync(join(directory, 'snapshotters.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(ledger.length).toBeGreaterThan(100)
  })
})
