import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import {
  END_OF_BATCHES,
  isBatch,
  isEnding,
  isNonceOnly,
  isPayout,
  nonceKey,
  payoutKey,
} from '../../schemas/anchor-keys.ts'
import { isNone, knownTime, NO_TIME, NONE, orNull } from '../../schemas/none.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDERS = ['topology', 'streams', 'schemas', 'connectors', 'ops', 'bench']
const BY_SIGN =
  /\b(?:batchIndex|batchOffset|nonce|\w*[bB]lockNumber|(?:header|contract|after)Block) (?:(?:<|>=) 0\b|[!=]== -1\b)/
const ONE_PLACE = ['schemas/none.ts', 'schemas/anchor-keys.ts']

describe('numbers of records that say that there is none', () => {
  test('behavior: 0 and above are numbers', () => {
    expect([NONE, 0, 1].map(isNone)).toEqual([true, false, false])
    expect([NONE, 0, 1].map(orNull)).toEqual([null, 0, 1])
    expect([NO_TIME, 1].map(knownTime)).toEqual([undefined, 1])
  })

  test('behavior: a key is a batch, the ending call, a nonce or a payout, and only one of them', () => {
    const keys = [
      { dataMarket: '0x', epochId: 7, batchIndex: 0 },
      { dataMarket: '0x', epochId: 7, batchIndex: END_OF_BATCHES },
      nonceKey('0x', 7),
      payoutKey('0x', 7, 0),
      payoutKey('0x', 7, 1),
    ]
    const kinds = keys.map((key) => [isBatch, isEnding, isNonceOnly, isPayout].findIndex((is) => is(key)))
    expect(kinds).toEqual([0, 1, 2, 3, 3])
    for (const key of keys) expect([isBatch, isEnding, isNonceOnly, isPayout].filter((is) => is(key))).toHaveLength(1)
  })

  test('behavior: nothing else goes by the sign of such a number', () => {
    const files = FOLDERS.flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(folder, file)),
    ).filter((path) => /\.tsx?$/.test(path) && !ONE_PLACE.includes(path))
    expect(files.length).toBeGreaterThan(500)
    expect(files.filter((path) => BY_SIGN.test(readFileSync(join(ROOT, path), 'utf8')))).toEqual([])
  })
})
