/** A proof is measured against a contract that the caller names, never against the one that the file names. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Proof, proofText, seal } from '../../../../ops/reading/proof/format.ts'
import { newFolder } from '../../../folder.ts'
import { HOSTILE, OBEYED } from '../../hostile.ts'
import { MARKET } from '../../look/fixture.ts'
import { runHere } from '../../run-here.ts'
import { CHAIN, EPOCH, signedEpoch } from './epoch.ts'

const folder = newFolder()
const file = join(folder, 'proof.json')
const config = join(folder, 'sequencer.yaml')
const OTHER = `0x${'d4'.repeat(20)}`
const pin = ['--chain-id', String(CHAIN.chainId), '--protocol-state', CHAIN.protocolState]
let proof: Proof

const verify = (...args: readonly string[]) => runHere(['proof', 'verify', file, ...args])
const lastOf = (text: string) => text.trimEnd().split('\n').at(-1)

beforeAll(async () => {
  const epoch = await signedEpoch({ slots: 4, projects: 2 })
  proof = await epoch.proofs.get({ dataMarket: MARKET, epochId: EPOCH, slotId: 1 })
  writeFileSync(file, proofText(proof))
  writeFileSync(config, `chain: { chainId: ${CHAIN.chainId}, protocolState: "${CHAIN.protocolState}" }\n`)
})

describe('proof verify', () => {
  test('default: it says what the file is about, and never that it holds for a contract of the file alone', async () => {
    const { stdout, exitCode } = await verify()
    expect(exitCode).toBe(4)
    for (const about of [CHAIN.chainId, CHAIN.protocolState, MARKET, `epoch       ${EPOCH}`, 'slot        1'])
      expect(stdout).toContain(about.toString())
    expect(stdout).not.toMatch(/holds/)
    expect(lastOf(stdout)).toMatch(/a contract that the file itself names\. Unchecked: .*--chain-id.*--rpc/)
  })

  test.each([
    ['--chain-id and --protocol-state', pin],
    ['a configuration', ['--config', config]],
    ['the market too', [...pin, '--data-market', MARKET]],
  ])('behavior: pinned by %s, it holds as far as a file can show, and no node was asked', async (_, args) => {
    const { stdout, exitCode } = await verify(...args)
    expect(exitCode).toBe(4)
    expect(lastOf(stdout)).toMatch(/^The proof holds as far as a file can show, .*Unchecked: .*--rpc/)
    expect(JSON.parse((await verify(...args, '--json')).stdout)).toMatchObject({
      ok: false,
      reason: null,
      unchecked: [{ code: 'CHAIN' }],
    })
  })

  test.each([
    ['another contract', ['--chain-id', '31337', '--protocol-state', OTHER], `not about the contract ${OTHER}`],
    ['another chain', ['--chain-id', '7869', '--protocol-state', CHAIN.protocolState], 'on chain 7869'],
    ['a deployment', ['--deployment', 'powerloom-mainnet'], 'which the deployment powerloom-mainnet names'],
    ['another market', [...pin, '--data-market', OTHER], `not about ${OTHER}`],
  ])('error: a file about another one than %s that was named', async (_, args, words) => {
    const { stdout, exitCode } = await verify(...args)
    expect(exitCode).toBe(1)
    expect(lastOf(stdout)).toContain('does NOT hold')
    expect(stdout).toContain(words)
  })

  test('error: a half of a pin, two pins, a configuration without a chain', async () => {
    const none = join(folder, 'none.yaml')
    writeFileSync(none, 'appId: a\n')
    expect(await verify('--chain-id', '1')).toMatchObject({
      exitCode: 2,
      stderr: /* */ expect.stringMatching(/together/),
    })
    expect(await verify(...pin, '--config', config)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('more than one way'),
    })
    expect(await verify('--config', none)).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/names no chain and contract: .*chain\.chainId/),
    })
  })

  test('error: a file that never ends is not read to its end', async () => {
    const { stderr, exitCode } = await runHere(['proof', 'verify', '/dev/zero'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('has more than')
  })

  test('error: words of the file, and its name, rule no terminal and forge no line', async () => {
    const { checksum: _, ...rest } = proof
    const named = join(folder, `${HOSTILE.replaceAll('\0', '').replaceAll('/', '')}.json`)
    for (const change of [{ projectId: HOSTILE }, { batch: { ...proof.batch, cid: HOSTILE } }]) {
      writeFileSync(named, proofText(seal({ ...rest, ...change })))
      for (const args of [[], pin, ['--json']]) {
        const { stdout, exitCode } = await runHere(['proof', 'verify', named, ...args])
        expect(exitCode).toBe(1)
        expect(stdout).not.toMatch(OBEYED)
        expect(stdout).not.toMatch(/^FORGED/m)
      }
    }
    expect((await runHere(['proof', 'verify', `${named}.not`])).stderr).not.toMatch(OBEYED)
  })
})
