/** `dev` over several days of the contract: each is closed on the chain, and the run ends when the last one is. */
import { expect, it } from 'vitest'
import { newFolder } from '../../../folder.ts'
import { auditClean } from '../../audit-clean.ts'
import { runSequencer } from '../../run-sequencer.ts'

/** Of 40 s: a day is to be closed before the one after the next begins, on a busy machine too. */
const SHORT = ['--block-time', '2', '--epoch-blocks', '4', '--day-epochs', '5', '--bad-share', '0']

it('default: two days of five epochs are closed, with all slots as the ledger has them', async () => {
  const directory = newFolder()
  const ports = ['--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
  const run = await runSequencer(['dev', '--data-dir', directory, '--json', ...ports, '--epochs', '10', ...SHORT])
  expect(run.exitCode, run.stderr).toBe(0)
  const days = run.events.map(({ text }) => String(text ?? '')).filter((text) => /^day \d+ of /.test(text))
  expect(days.map((text) => text.slice(0, 'day 1'.length))).toEqual(expect.arrayContaining(['day 1', 'day 2']))
  for (const text of days) expect(text).toMatch(/: closed on the chain, \d+ of \d+ slots paid$/)
  await auditClean('--data-dir', directory)
})
