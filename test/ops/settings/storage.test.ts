/** Settings of the stores that one alone cannot show to be wrong. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readConfiguration } from '../../../ops/settings/parse.ts'
import { newFolder } from '../../folder.ts'

const tokenFile = join(newFolder(), 'token')
writeFileSync(tokenFile, 'token', { mode: 0o600 })

const environment = {
  SEQUENCER_KAFKA_BROKERS: 'one:9092',
  SEQUENCER_REGISTRY_URL: 'http://registry:8081',
  SEQUENCER_CHAIN_CHAIN_ID: '31337',
  SEQUENCER_CHAIN_PROTOCOL_STATE: `0x${'b'.repeat(40)}`,
  SEQUENCER_MARKETS: `0x${'a'.repeat(40)}`,
}
const KUBO = 'http://kubo:5001'
const pinning = (fields: object = {}) => JSON.stringify([{ url: 'https://pins.example/psa', tokenFile, ...fields }])

const storageOf = (set: Record<string, string>) =>
  readConfiguration({ set: Object.entries(set).map(([path, value]) => `storage.${path}=${value}`) }, environment)
    .settings.storage

test('default: no store is named, and nothing is wrong with that: it is for the role that stores', () => {
  expect(storageOf({})).toMatchObject({ kubo: [], pinning: [], checkMinutes: 60, keepDays: 0 })
})

test('args: a pinning service beside a Kubo node', () => {
  expect(storageOf({ kubo: KUBO, pinning: pinning(), required: '1' })).toMatchObject({
    required: 1,
    pinning: [{ url: 'https://pins.example/psa', tokenFile, origins: [] }],
  })
})

const refused: [set: Record<string, string>, words: string][] = [
  [{ kubo: KUBO, required: '2' }, 'storage.required: 2 stores must hold a batch, and 1 of storage.kubo'],
  [{ kubo: KUBO, required: '0' }, 'storage.required:'],
  [{ pinning: pinning() }, 'storage.pinning: a pinning service is not given batches'],
  [{ pinning: pinning(), directory: 'd' }, 'storage.pinning: a pinning service is not given batches'],
  [{ pinning: pinning(), kubo: KUBO, required: '2' }, 'storage.required: 2 stores'],
  [{ pinning: pinning({ tokenFile: '/nowhere' }), kubo: KUBO }, 'storage.pinning: /nowhere cannot be read (ENOENT)'],
  [{ pinning: pinning({ origins: ['kubo:4001'] }), kubo: KUBO }, 'not a multiaddr that ends in /p2p/'],
  [{ pinning: pinning({ token: 'secret' }), kubo: KUBO }, 'no such setting'],
  [{ kubo: `${KUBO},${KUBO}/other` }, 'storage.kubo: kubo:5001 is named twice'],
]
test.each(refused)('error: %j', (set, words) => {
  expect(() => storageOf(set)).toThrow()
  try {
    storageOf(set)
  } catch (error) {
    expect((error as { lines?: string[] }).lines?.join('\n') ?? String(error)).toContain(words)
  }
})

test('error: a token that others may read', () => {
  chmodSync(tokenFile, 0o644)
  expect(() => storageOf({ kubo: KUBO, pinning: pinning() })).toThrow(/chmod 600/)
})
