import { chmodSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { computeAddress } from 'ethers'
import { expect, test } from 'vitest'
import { readSignerKey } from '../../../../connectors/evm/anchor-effects/anchor-signer.ts'
import { newFolder } from '../../../folder.ts'
import { runHere } from '../../run-here.ts'

const directory = newFolder()

test.each([
  ['signer', /^0x[0-9a-f]{40}\n$/],
  ['peer', /^12D3KooW\w+\n$/],
])('default: keys %s makes the file, for its owner alone, and then only says who it is', async (kind, form) => {
  const file = join(directory, 'secrets', kind)
  const made = await runHere(['keys', kind, file])
  expect(made.stdout).toMatch(form)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  const text = readFileSync(file, 'utf8')
  expect(await runHere(['keys', kind, file])).toEqual(made)
  expect(readFileSync(file, 'utf8')).toBe(text)
})

test.each([['signer'], ['peer']])(
  'error: keys %s refuses a file that others can read, and says what to do',
  async (kind) => {
    const file = join(directory, 'open', kind)
    await runHere(['keys', kind, file])
    for (const mode of [0o640, 0o604, 0o620]) {
      chmodSync(file, mode)
      const { stdout, stderr, exitCode } = await runHere(['keys', kind, file])
      expect([stdout, exitCode]).toEqual(['', 3])
      expect(stderr).toContain(`${file} can be read by others. Run: chmod 600 ${file}`)
    }
  },
)

test('behavior: the address is that of the key', async () => {
  const file = join(directory, 'secrets', 'signer')
  const { stdout } = await runHere(['keys', 'signer', file])
  expect(stdout.trim()).toBe(computeAddress(readSignerKey(file)).toLowerCase())
})

test.each([
  ['signer', 'address'],
  ['peer', 'peerId'],
  ['marker', 'publicKey'],
])('behavior: keys %s --json says the same under %s', async (kind, name) => {
  const file = join(directory, 'json', kind)
  const plain = (await runHere(['keys', kind, file])).stdout.trim()
  expect(JSON.parse((await runHere(['keys', kind, file, '--json'])).stdout)).toEqual({ file, [name]: plain })
})

test('error: a file of something else is refused and left alone', async () => {
  const { stderr, exitCode } = await runHere(['keys', 'peer', join(directory, 'secrets', 'signer')])
  expect([stderr, exitCode]).toEqual([expect.stringContaining('holds no libp2p private key'), 3])
})

test('error: a key file of a marker with something else: the hint says its own form', async () => {
  const file = join(directory, 'secrets', 'peer')
  const { stderr, exitCode } = await runHere(['keys', 'marker', file])
  expect([stderr, exitCode]).toEqual([expect.stringContaining('a file with the key alone, 64 hex digits'), 3])
  expect(stderr).not.toContain('0x')
})
