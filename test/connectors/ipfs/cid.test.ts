import { readFileSync } from 'node:fs'
import { CID } from 'multiformats/cid'
import { sha256 } from 'multiformats/hashes/sha2'
import { describe, expect, it } from 'vitest'
import { computeCid } from '../../../connectors/ipfs/cid.ts'

const vectors = new URL('../../vectors/', import.meta.url)
const readJson = (name: string) => JSON.parse(readFileSync(new URL(name, vectors), 'utf8'))

describe('computeCid', () => {
  const published = Buffer.from(JSON.stringify(readJson('published-batch.json')))
  const expected = readJson('batch.json')

  it('default: the published batch has its published length and its CIDv1', async () => {
    expect(published.length).toBe(expected.byteLength)
    expect(await computeCid(published)).toBe(expected.cidV1_rawLeaf)
  })

  it('args: version 0 gives the name under which the batch was published', async () => {
    expect(await computeCid(published, 0)).toBe(expected.cidV0_unixfs_dagpb_singleBlock)
  })

  it.each([
    ['hello world\n', 0, 'QmT78zSuBmuS4z925WZfrqQ1qHaJ56DQaTfyMUF7F8ff5o'],
    ['', 0, 'QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH'],
    ['', 1, 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku'],
  ] as const)('behavior: %j in version %i is %s, as everywhere on IPFS', async (text, version, cid) => {
    expect(await computeCid(Buffer.from(text), version)).toBe(cid)
  })

  it.each([
    [262_144, 'one raw block', 0x55],
    [262_145, 'a tree of two', 0x70],
    [174 * 262_144 + 1, 'two levels', 0x70],
  ])('behavior: %i bytes are %s', async (size, _what, codec) => {
    const bytes = Buffer.alloc(size, 7)
    const cid = CID.parse(await computeCid(bytes))
    expect(cid.code).toBe(codec)
    if (codec === 0x55) expect(cid.multihash.digest).toEqual((await sha256.digest(bytes)).digest)
    expect(await computeCid(Buffer.from(bytes))).toBe(cid.toString())
  })
})
