import { expect, it } from 'vitest'
import { newFolder } from '../../../folder.ts'
import { auditClean } from '../../audit-clean.ts'
import { runSequencer, startSequencer } from '../../run-sequencer.ts'

const directory = newFolder()
const at = ['--data-dir', directory]
const ports = ['--listen-port', '0', '--ops-port', '0', '--chain-port', '0']
const load = ['--snapshotters', '6', '--projects', '3', '--bad-share', '0.3']

async function markets(...args: string[]): Promise<Record<string, unknown>> {
  const run = await runSequencer(['markets', ...args, ...at, '--json'])
  expect(run.stdout, run.stderr).not.toBe('')
  return JSON.parse(run.stdout)
}

it('default: an added market is anchored, a removed one finishes, and the audit is clean', {
  timeout: 600_000,
}, async () => {
  const dev = startSequencer(['dev', ...at, '--json', ...ports, ...load, '--spare-markets', '1'])
  const running = await dev.waitFor(({ event }) => event === 'running')
  const [first] = running.markets as string[]
  const [spare] = running.spareMarkets as string[]
  await dev.waitFor(({ event }) => event === 'anchored')

  const refused = await runSequencer(['markets', 'add', `0x${'0f'.repeat(20)}`, ...at])
  expect([refused.exitCode, refused.stdout]).toEqual([1, expect.stringContaining('was refused')])
  const added = await markets('add', spare!)
  expect(added).toMatchObject({ outcome: 'done', firstEpoch: expect.any(Number) })
  const anchored = await dev.waitFor(({ event, dataMarket }) => event === 'anchored' && dataMarket === spare)
  expect(anchored.epochId).toBeGreaterThanOrEqual(added.firstEpoch as number)
  expect(anchored.verdicts).toHaveProperty('COUNTED')

  const removed = await markets('remove', first!)
  expect(removed).toMatchObject({ outcome: 'done' })
  const last = Math.max(...(removed.finishing as number[]))
  await dev.waitFor((e) => e.event === 'anchored' && e.dataMarket === first && e.epochId === last)
  expect(await markets('list')).toMatchObject({
    unread: null,
    items: [
      { dataMarket: first, configured: true, served: false, unfinished: [], newestEpoch: last },
      { dataMarket: spare, configured: false, served: true },
    ],
  })
  dev.child.kill('SIGINT')
  expect((await dev.finished).exitCode).toBe(0)
  expect((await auditClean(...at)).epochsOnChain).toBeGreaterThanOrEqual(3)
})
