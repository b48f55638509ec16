/**
 * What lies outside goes wrong: a port, a directory, a node, a disk, a second process. `dev` says what and what to do, ends
 * with 3, and what was acknowledged is still there.
 */
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoryPaths } from '../../ops/ground/directory-paths.ts'
import { startAnvil } from '../../ops/world/chain/anvil.ts'
import { DEV_CHAIN_OPTIONS } from '../../ops/world/chain/devchain.ts'
import { until } from '../until.ts'
import { auditClean } from './audit-clean.ts'
import { readOnlyPlace, smallDisk } from './places.ts'
import { runSequencer, type SequencerEvent, type SequencerRun, startSequencer } from './run-sequencer.ts'

const root = mkdtempSync(join(tmpdir(), 'sequencer-outside-'))
let made = 0
const fresh = (): string => join(root, `${made++}`)
const dev = (dataDir: string, ...more: readonly string[]): string[] => {
  const ports = ['--listen-port', '--ops-port', '--chain-port'].filter((name) => !more.includes(name))
  const short = ['--epoch-blocks', '2', '--window', '1']
  return ['dev', '--json', '--data-dir', dataDir, ...short, ...ports.flatMap((name) => [name, '0']), ...more]
}

const CHAIN = { ...DEV_CHAIN_OPTIONS, port: 0, blockTimeSeconds: 1 }
const anchored = ({ event }: SequencerEvent): boolean => event === 'anchored'
/** An event of this name that had not come when this was called. */
const newer = (name: string, seen: readonly SequencerEvent[]): ((event: SequencerEvent) => boolean) => {
  const before = new Set(seen)
  return (event) => event.event === name && !before.has(event)
}
const notes =
  (text: RegExp) =>
  ({ event, text: said }: SequencerEvent): boolean =>
    event === 'note' && text.test(String(said))

/** The anvil below the guard of a data directory's chain, as a crash would end it. */
const killChainOf = (dataDir: string): void => killAnvilIn(directoryPaths(dataDir).chain)

function killAnvilIn(directory: string): void {
  const { guardPid } = JSON.parse(readFileSync(join(directory, 'anvil.json'), 'utf8'))
  const childOf = (pid: string): boolean => {
    try {
      const [, name, , parent] = /^\d+ \((.*)\) (.) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))!
      return name === 'anvil' && Number(parent) === guardPid
    } catch {
      return false // it has just ended
    }
  }
  const chain = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .find(childOf)
  process.kill(Number(chain), 'SIGKILL')
}

let taken: Server
let takenPort: string
beforeAll(async () => {
  taken = createServer(() => {}) // takes connections and says nothing
  await new Promise<void>((resolve) => taken.listen(0, '0.0.0.0', resolve))
  takenPort = String((taken.address() as { port: number }).port)
})
afterAll(() => {
  taken.close()
  rmSync(root, { recursive: true, force: true })
})

function expectRefused({ exitCode, stderr }: SequencerRun, ...said: readonly string[]): void {
  for (const words of said) expect(stderr).toContain(words)
  expect(stderr).not.toMatch(/^ {4}at /m)
  expect(exitCode, stderr).toBe(3)
}

describe('a port in use', () => {
  it.each(['--listen-port', '--ops-port', '--chain-port'])('error: %s', async (option) => {
    const run = await runSequencer(dev(fresh(), option, takenPort))
    expectRefused(run, takenPort, 'in use', option === '--listen-port' ? 'choose another' : option)
  })
})

describe('a node that cannot be used', () => {
  it('error: one that is down at the start', async () => {
    expectRefused(
      await runSequencer(dev(fresh(), '--rpc', 'http://127.0.0.1:2')),
      'ECONNREFUSED',
      'Start what does not answer',
    )
  })

  it('error: one that takes the connection and says nothing', async () => {
    const run = await runSequencer(dev(fresh(), '--rpc', `http://127.0.0.1:${takenPort}`))
    expectRefused(run, 'timeout', 'Start what does not answer')
  })

  it('error: one of another chain', async () => {
    const chain = await startAnvil({ ...CHAIN, directory: fresh(), chainId: 5 })
    try {
      expectRefused(await runSequencer(dev(fresh(), '--rpc', chain.rpcUrl)), 'serves chain 5', 'Point --rpc')
    } finally {
      await chain.close()
    }
  })

  it('behavior: one that goes down in the middle is waited for; what it is waited for and that it is back, is said', async () => {
    const [dataDir, directory] = [fresh(), fresh()]
    let chain = await startAnvil({ ...CHAIN, directory })
    const run = startSequencer(dev(dataDir, '--rpc', chain.rpcUrl, '--epochs', '4'))
    try {
      await run.waitFor(anchored)
      await chain.close()
      await run.waitFor(notes(/^warning: clock waits: .*ECONNREFUSED/))
      chain = await startAnvil({ ...CHAIN, directory, port: chain.port })
      await run.waitFor(notes(/^clock: ready again/))
      const { exitCode, stderr } = await run.finished
      expect(exitCode, stderr).toBe(0)
      expect((await auditClean('--data-dir', dataDir)).epochsOnChain).toBeGreaterThanOrEqual(4)
    } finally {
      run.child.kill('SIGKILL')
      await chain.close()
    }
  })

  it('error: the development chain that ends by itself; a second start goes on', async () => {
    const dataDir = fresh()
    const run = startSequencer(dev(dataDir))
    await run.waitFor(anchored)
    killChainOf(dataDir)
    expectRefused(await run.finished, 'the development chain ended by itself', 'Start again')
    const again = await runSequencer(dev(dataDir, '--epochs', '1'))
    expect(again.exitCode, again.stderr).toBe(0)
    await auditClean('--data-dir', dataDir)
  })
})

describe('a development chain that is killed', () => {
  it('behavior: what it loses, final or not, is anchored again, and it goes on', async () => {
    const [dataDir, directory] = [fresh(), fresh()]
    const [state, saved] = [join(directory, 'state.json'), join(directory, 'saved.json')]
    let chain = await startAnvil({ ...CHAIN, directory })
    const run = startSequencer(dev(dataDir, '--rpc', chain.rpcUrl))
    try {
      await run.waitFor(anchored)
      // what a kill leaves on the disk is older by what anvil had not written
      await until('a copy that anvil was not writing', () => copyOfJson(state, saved))
      await run.waitFor(newer('anchored', run.events))
      await run.waitFor(newer('anchored', run.events))
      killAnvilIn(directory)
      await chain.close()
      copyFileSync(saved, state)
      chain = await startAnvil({ ...CHAIN, directory, port: chain.port })
      await run.waitFor(({ event, state }) => event === 'anchor' && state === 'REORGED')
      await run.waitFor(newer('anchored', run.events))
      await run.waitFor(() => openAgain(run.events).length === 0)
      run.child.kill('SIGINT')
      const { exitCode, stderr } = await run.finished
      expect(exitCode, stderr).toBe(0)
      const { epochsOnChain } = await auditClean('--data-dir', dataDir)
      expect(epochsOnChain).toBeGreaterThanOrEqual(run.events.filter(anchored).length)
    } finally {
      run.child.kill('SIGKILL')
      await chain.close()
    }
  })
})

function copyOfJson(from: string, to: string): boolean {
  copyFileSync(from, to)
  try {
    JSON.parse(readFileSync(to, 'utf8'))
    return true
  } catch {
    return false
  }
}

/** Batches and endings that left the chain after they were final, and are not final again. */
function openAgain(events: readonly SequencerEvent[]): readonly string[] {
  const open = new Set<string>()
  for (const { event, dataMarket, epochId, batchIndex, state } of events) {
    if (event !== 'anchor') continue
    if (state === 'REORGED') open.add(`${dataMarket}/${epochId}/${batchIndex}`)
    if (state === 'FINAL') open.delete(`${dataMarket}/${epochId}/${batchIndex}`)
  }
  return [...open]
}

describe('a data directory that cannot be used', () => {
  const readOnly = readOnlyPlace(fresh())
  afterAll(() => readOnly.remove())

  it(`error: one that cannot be written to (${readOnly.kind})`, async () => {
    const run = await runSequencer(dev(join(readOnly.directory, 'data')))
    expectRefused(run, readOnly.directory, 'cannot be written to', 'Give --data-dir a directory')
  })

  it('error: a file', async () => {
    const path = fresh()
    writeFileSync(path, '')
    expectRefused(await runSequencer(dev(path)), path, 'Give --data-dir a directory')
  })

  it('error: settings that are damaged, or others than are asked for', async () => {
    const dataDir = fresh()
    const first = startSequencer(dev(dataDir))
    await first.waitFor(({ event }) => event === 'running')
    first.child.kill('SIGINT')
    expect((await first.finished).exitCode).toBe(0)
    const other = await runSequencer(dev(dataDir, '--partitions', '7'))
    expect(other.stderr).toContain('partitions of submissions: 4, and this start asks for 7')
    expect(other.exitCode).toBe(2)
    writeFileSync(directoryPaths(dataDir).settings, '{')
    expectRefused(await runSequencer(dev(dataDir)), 'settings.json is not JSON', 'Restore it')
  })

  it('error: one that another process runs on; that one does not notice', async () => {
    const dataDir = fresh()
    const first = startSequencer(dev(dataDir))
    await first.waitFor(anchored)
    expectRefused(await runSequencer(dev(dataDir)), 'another process', 'Stop it, or give --data-dir another one')
    expectRefused(await runSequencer(['audit', '--data-dir', dataDir]), 'another process')
    await first.waitFor(newer('anchored', first.events))
    first.child.kill('SIGINT')
    const { exitCode, stderr } = await first.finished
    expect(exitCode, stderr).toBe(0)
    expect(stderr).toBe('')
    await auditClean('--data-dir', dataDir)
  })
})

describe('a disk', () => {
  const disk = smallDisk(fresh(), 48)
  afterAll(() => disk.remove())

  it(`behavior: that is full stops the intake until there is space, and nothing is lost (${disk.kind})`, async () => {
    const dataDir = join(disk.directory, 'data')
    const run = startSequencer(dev(dataDir))
    await run.waitFor(anchored)
    disk.fill(run.child.pid!)
    await run.waitFor(notes(/^warning: intake waits: no space left .*free some/))
    disk.free(run.child.pid!)
    await run.waitFor(notes(/^intake: ready again/))
    const released = await run.waitFor(newer('released', run.events))
    await run.waitFor((event) => anchored(event) && event.epochId === released.epochId)
    run.child.kill('SIGINT')
    const { exitCode, stderr } = await run.finished
    expect(exitCode, stderr).toBe(0)
    expect((await auditClean('--data-dir', dataDir)).acknowledged).toBeGreaterThan(0)
  })
})
