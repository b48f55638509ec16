import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import {
  type ClusterSettings,
  changedParts,
  readClusterSettings,
  settingsTopic,
  writeClusterSettings,
} from '../../../../ops/ground/cluster/settings-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../../../topology/anchor-rules.ts'
import { rulesOf } from '../../../topology/world.ts'

const settings: ClusterSettings = {
  appId: 'app',
  topicOptions: {
    prefix: 'p-',
    partitions: { submissions: 2, validated: 2, admitted: 2, finalizations: 2, verdicts: 2 },
  },
  rules: rulesOf(),
  anchoring: ANCHOR_RULES_DEFAULTS,
  chain: { chainId: 1, protocolState: `0x${'b'.repeat(40)}` },
}

let directory: string
let log: Log
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sequencer-settings-'))
  log = await openEmbeddedLog({ directory, clock: systemClock })
})
afterEach(async () => {
  await log.close()
  rmSync(directory, { recursive: true, force: true })
})

test('default: the newest settings are read back', async () => {
  expect(await readClusterSettings(log, 'app')).toBeUndefined()
  await writeClusterSettings(log, settings, 1)
  const newer = { ...settings, rules: rulesOf({ votesMin: 3 }) }
  await writeClusterSettings(log, newer, 2)
  expect(changedParts(await readClusterSettings(log, 'app'), newer)).toEqual([])
  expect(await readClusterSettings(log, 'other')).toBeUndefined()
})

test('error: settings of a newer program are not guessed at', async () => {
  await log.createTopics([settingsTopic('app')])
  const appender = await log.appender()
  const value = Buffer.from(JSON.stringify({ format: 2, ...settings }))
  await appender.append([
    { topic: settingsTopic('app').name, partition: 0, timestamp: 1, key: Buffer.from('settings'), value },
  ])
  await expect(readClusterSettings(log, 'app')).rejects.toMatchObject({
    exitCode: 3,
    message: expect.stringContaining('format 2, this version knows 1'),
  })
})

test('behavior: differences are named by path, whatever the order of keys', () => {
  const reversed = Object.fromEntries(Object.entries(settings).reverse())
  expect(changedParts(settings, reversed)).toEqual([])
  expect(changedParts(settings, { ...settings, chain: { ...settings.chain, chainId: 2 } })).toEqual([
    'chain.chainId 1 → 2',
  ])
  const twoMarkets = { ...settings, rules: { ...settings.rules, markets: [...settings.rules.markets, 'x'] } }
  expect(changedParts(settings, twoMarkets)).toEqual(['rules.markets.1 unset → "x"'])
})

test('behavior: what others wrote into the topic is left out', async () => {
  await writeClusterSettings(log, settings, 1)
  const { name: topic } = settingsTopic('app')
  const text = Buffer.from('text')
  const key = Buffer.from('settings')
  const appender = await log.appender()
  for (const [itsKey, value] of [
    [null, text],
    [text, Buffer.from('{"format":9}')],
    [key, text],
    [key, Buffer.from('null')],
    [key, Buffer.from('{}')],
    [key, null],
  ] as const)
    await appender.append([{ topic, partition: 0, timestamp: 1, key: itsKey, value }])
  expect(changedParts(await readClusterSettings(log, 'app'), settings)).toEqual([])
})
