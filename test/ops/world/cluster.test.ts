import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ensureMarkerKey } from '../../../ops/settings/keys/marker-key.ts'
import { readConfiguration } from '../../../ops/settings/parse.ts'
import { brokersOf, claimDirectory } from '../../../ops/world/cluster/directory.ts'
import { clusterSettings, keyFilesOf, settingsText } from '../../../ops/world/cluster/settings.ts'
import type { Cluster } from '../../../ops/world/cluster/start.ts'
import { createStory, shellWord } from '../../../ops/world/cluster/story.ts'
import { newFolder } from '../../folder.ts'

test('default: the settings that it writes are read as they were meant', () => {
  const directory = newFolder()
  const keys = keyFilesOf(directory)
  ensureMarkerKey(keys.marker)
  writeFileSync(keys.signer, 'ab'.repeat(32), { mode: 0o600 })
  const made = clusterSettings({
    directory,
    brokers: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'],
    registryUrl: 'http://127.0.0.1:4/apis/ccompat/v7',
    chain: { rpcUrls: ['http://127.0.0.1:5'], chainId: 31_337, protocolState: `0x${'12'.repeat(20)}` },
    markets: [`0x${'34'.repeat(20)}`],
    startBlock: 7,
  })
  const config = join(directory, 'sequencer.yaml')
  writeFileSync(config, settingsText({ ...made, ops: { port: 9090 } }))
  const { settings, rules } = readConfiguration({ config }, {})
  expect(settings.kafka).toMatchObject({ replicationFactor: 3, minInsyncReplicas: 2 })
  expect(settings).toMatchObject({ chain: made.chain, clock: { startBlock: 7 }, ops: { port: 9090 } })
  expect(rules.markets).toMatchObject([{ dataMarket: made.markets[0] }])
  expect(rules.markerKeys).toHaveLength(1)
})

test('args: the number of brokers is that of the first start', () => {
  const directory = newFolder()
  expect([brokersOf(directory, undefined), brokersOf(directory, 3)]).toEqual([1, 3])
  mkdirSync(join(directory, 'kafka', 'broker-1'), { recursive: true })
  expect([brokersOf(directory, undefined), brokersOf(directory, 1)]).toEqual([1, 1])
  expect(() => brokersOf(directory, 3)).toThrow(`${directory} is of a cluster with one broker`)
})

test('behavior: a directory that a dead or another program had is taken', async () => {
  const directory = newFolder()
  for (const pid of ['', 'nonsense', '-1', '1', '999999999']) {
    writeFileSync(join(directory, 'running.pid'), pid)
    await claimDirectory(directory).close()
  }
})

test('default: the commands come with the first epoch that was released when the snapshotters ran', () => {
  const lines: string[] = []
  const steps = { log: (line: string) => void lines.push(line), progress: () => {} }
  let now = 0
  const story = createStory(steps, now, () => now)
  const anchored = (epochId: number, seconds: number) => story.heard('front', { event: 'anchored', epochId, seconds })
  now = 50_000
  anchored(1, 3)
  story.running({
    config: '/somewhere/else/my cluster/sequencer.yaml',
    ops: 'http://127.0.0.1:9090',
    intake: '/ip4/127.0.0.1/tcp/9100/p2p/12D3',
    chain: { chain: { rpcUrls: ['http://127.0.0.1:8545'], chainId: 31_337, protocolState: '0x12' } },
  } as unknown as Cluster)
  now = 60_000
  anchored(2, 11)
  expect(lines.join('\n')).not.toContain('epoch 2')
  now = 65_000
  anchored(3, 9)
  anchored(4, 9)
  expect(lines).toContain("  ./sequencer status --config '/somewhere/else/my cluster/sequencer.yaml'")
  expect(lines.slice(-4)).toEqual([
    'The first epoch with submissions is anchored: epoch 3, 1 min 5 s after the start. What became of it:',
    "  ./sequencer epoch 3 --config '/somewhere/else/my cluster/sequencer.yaml'",
    "  ./sequencer why --slot 9 --epoch 3 --config '/somewhere/else/my cluster/sequencer.yaml'",
    "  ./sequencer audit --config '/somewhere/else/my cluster/sequencer.yaml'",
  ])
})

test('behavior: a role that waits is told, with its process', () => {
  const lines: string[] = []
  const story = createStory({ log: (line) => void lines.push(line), progress: () => {} }, 0, () => 0)
  story.running({ config: 'c', chain: { chain: { rpcUrls: [] } } } as unknown as Cluster)
  story.heard('chain', { event: 'role', role: 'clock', ready: false, detail: 'no node answers' })
  expect(lines.at(-1)).toBe('chain: clock waits, no node answers')
})

test.each([
  ['cluster/sequencer.yaml', 'cluster/sequencer.yaml'],
  ["it's", "'it'\\''s'"],
  ['$(x)', "'$(x)'"],
])('args: %s is pasted as %s', (text, word) => expect(shellWord(text)).toBe(word))
