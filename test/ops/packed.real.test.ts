/** The package as somebody without a checkout has it: packed, and installed into an empty folder. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { proofText } from '../../ops/reading/proof/format.ts'
import { newFolder } from '../folder.ts'
import { CHAIN, EPOCH, signedEpoch } from './check/proof/epoch.ts'
import { MARKET } from './look/fixture.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BATCH = join(ROOT, 'test/vectors/published-batch.json')
const CONTRACT = ['--chain-id', '11169', '--protocol-state', '0xF68342970beF978697e1104223b2E1B6a1D7764d']
const OWNERS = [
  '4036=0xa865187E8E86ae8c649a7bD8DE1C6E0a3Bd4b2Be',
  '3164=0x7151Ba35EbCd9B17449A3F2B09ac14B0d3b0Ece8',
].flatMap((owner) => ['--slot', owner])

let folder: string
beforeAll(() => {
  const packed = newFolder()
  folder = join(packed, 'empty')
  mkdirSync(folder)
  const npm = (cwd: string, ...args: string[]) =>
    execFileSync('npm', args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  // What was built for the tests is packed: they run at the same time, and a build would take it away under them.
  npm(ROOT, 'pack', '--ignore-scripts', '--pack-destination', packed)
  const [file] = readdirSync(packed).filter((name) => name.endsWith('.tgz'))
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--no-package-lock']
  npm(folder, 'install', ...quiet, '--omit=optional', join(packed, file!))
})

const run = (...args: string[]) =>
  spawnSync(join(folder, 'node_modules/.bin/powerloom-sequencer'), args, {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: '/nowhere' },
  })

describe('in an empty folder, without a HOME', () => {
  test('default: verify checks a batch', () => {
    const { status, stdout } = run('verify', BATCH, ...CONTRACT, ...OWNERS)
    expect(stdout).toContain('signatures      51 valid, 0 invalid, 0 unchecked')
    expect(status).toBe(4) // no node was asked
  })

  test('default: proof verify checks a proof', async () => {
    const { proofs } = await signedEpoch({ slots: 20, projects: 2 })
    const file = join(folder, 'proof.json')
    writeFileSync(file, proofText(await proofs.get({ dataMarket: MARKET, epochId: EPOCH, slotId: 4 })))
    const contract = ['--chain-id', `${CHAIN.chainId}`, '--protocol-state', CHAIN.protocolState]
    const { status, stdout } = run('proof', 'verify', file, ...contract)
    expect(stdout).toContain('The proof holds as far as a file can show')
    expect(status).toBe(4)
  })

  test('default: every command is there, with its help', () => {
    const { stdout, status } = run('--help')
    expect(status).toBe(0)
    for (const name of ['run', 'collector', 'deploy', 'schemas'])
      expect(run(name, '--help'), name).toMatchObject({ status: 0, stdout: expect.stringContaining(`Usage: `) })
    expect(stdout).toContain('verify')
  })

  test('behavior: the schemas come along', () => {
    expect(run('schemas', 'check')).toMatchObject({ status: 0 })
  })
})

test('behavior: ./sequencer runs the checkout from anywhere, without npm and without a HOME', () => {
  const { status, stdout } = spawnSync(join(ROOT, 'sequencer'), ['--version'], {
    cwd: '/',
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: '/nowhere' },
  })
  expect([status, stdout.trim()]).toEqual([0, '0.1.0'])
})
