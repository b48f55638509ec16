import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { newFolder } from '../../folder.ts'
import { runHere } from '../run-here.ts'

const directory = newFolder()

const MARKET = `0x${'a'.repeat(40)}`
const describe = (...args: string[]) => runHere(['topology', 'describe', ...args])

function configFile(name: string, votesMin: number): string {
  const file = join(directory, name)
  const settings = {
    prefix: 'shop-',
    kafka: { brokers: ['one:9092'] },
    registry: { url: 'http://registry:8081' },
    partitions: { submissions: 7 },
    chain: { chainId: 31337, protocolState: `0x${'b'.repeat(40)}` },
    markets: [{ dataMarket: MARKET, votesMin }],
  }
  writeFileSync(file, JSON.stringify(settings))
  return file
}

test('default: without a configuration the graph is shown, and nothing that depends on rules', async () => {
  const { stdout } = await describe()
  expect(stdout).toContain('Source submissions (4) --> validate')
  expect(stdout).not.toContain('Rules')
  const json = await describe('--json', '--partitions', '2', '--prefix', 'x-')
  expect(JSON.parse(json.stdout)).toEqual({
    fingerprint: null,
    text: expect.stringContaining('Source x-submissions (2)'),
  })
})

test('default: with one, it is what its processes run, with the fingerprint that they compare', async () => {
  const [one, other] = [configFile('one.json', 1), configFile('other.json', 2)]
  const { stdout } = await describe('--config', one)
  expect(stdout).toContain('Source shop-submissions (7) --> validate')
  expect(stdout).toMatch(/^ {2}Rules [0-9a-f]{64}$/m)
  const fingerprintOf = async (file: string) =>
    JSON.parse((await describe('--config', file, '--json')).stdout).fingerprint
  const fingerprints = [await fingerprintOf(one), await fingerprintOf(other)]
  expect(fingerprints).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), expect.stringMatching(/^[0-9a-f]{64}$/)])
  expect(fingerprints[0]).not.toBe(fingerprints[1])
})

test('args: a configuration and parts of another one are too much', async () => {
  const run = await describe('--config', configFile('both.json', 1), '--partitions', '2')
  expect([run.exitCode, run.stderr]).toEqual([
    2,
    expect.stringContaining('--config says prefix and partitions already'),
  ])
})
