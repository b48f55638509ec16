import * as dagPb from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import * as raw from 'multiformats/codecs/raw'
import { identity } from 'multiformats/hashes/identity'
import { sha256 } from 'multiformats/hashes/sha2'
import { describe, expect, it } from 'vitest'
import { StoreError } from '../../../connectors/ipfs/batch-store.ts'
import { type CidVersion, importBatch } from '../../../connectors/ipfs/cid.ts'
import { blocksOf, fileNode, readFile } from '../../../connectors/ipfs/unixfs.ts'

/** Blocks by their CIDs. */
function createBlocks() {
  const blocks = new Map<string, Uint8Array>()
  let reads = 0
  const put = async (code: number, block: Uint8Array): Promise<CID> => {
    const cid = CID.createV1(code, await sha256.digest(block))
    blocks.set(`${cid}`, block)
    return cid
  }
  const node = (links: readonly CID[], { data, type }: { data?: Uint8Array; type?: 'file' | 'directory' } = {}) => {
    const file = new UnixFS({ type: type ?? 'file', ...(data && { data }), blockSizes: links.map(() => 1n) })
    return put(dagPb.code, dagPb.encode({ Data: file.marshal(), Links: links.map((Hash) => ({ Name: '', Hash })) }))
  }
  return {
    put,
    node,
    leaf: (text: string) => put(raw.code, Buffer.from(text)),
    set: (cid: CID, block: Uint8Array) => void blocks.set(`${cid}`, block),
    remove: (cid: CID) => void blocks.delete(`${cid}`),
    reads: () => reads,
    read: async (cid: CID): Promise<Uint8Array> => {
      reads++
      const block = blocks.get(`${cid}`)
      if (!block) throw new StoreError('NOT_FOUND', `no block ${cid}`)
      return block
    },
    importer: {
      put: async (cid: CID, block: unknown) => {
        blocks.set(`${cid}`, block as Uint8Array)
        return cid
      },
    },
  }
}
const MOST = 1_000

describe('readFile', () => {
  it.each([0, 1] as const)('default: in version %i a file comes back from its blocks', async (version: CidVersion) => {
    const blocks = createBlocks()
    const bytes = Buffer.alloc(700_000, 'abc')
    const root = await importBatch(bytes, version, blocks.importer as Parameters<typeof importBatch>[2])
    expect(Buffer.compare(await readFile(root, blocks.read, bytes.length), bytes)).toBe(0)
  })

  it('behavior: bytes of a node itself come before those under it, from left to right', async () => {
    const { leaf, node, read } = createBlocks()
    const inner = await node([await leaf('c'), await leaf('d')], { data: Buffer.from('b') })
    const root = await node([inner, await leaf('e')], { data: Buffer.from('a') })
    expect(Buffer.from(await readFile(root, read, MOST)).toString()).toBe('abcde')
  })

  it('error: more bytes than asked for are TOO_LARGE, before the rest is read', async () => {
    const { leaf, node, read, reads } = createBlocks()
    const root = await node([await leaf('12345'), await leaf('67890'), await leaf('never read')])
    await expect(readFile(root, read, 9)).rejects.toMatchObject({ code: 'TOO_LARGE' })
    expect(reads()).toBe(3)
  })

  it('error: a tree of more than four levels is CORRUPT', async () => {
    const { leaf, node, read } = createBlocks()
    let root = await leaf('deep')
    for (let level = 1; level < 4; level++) root = await node([root])
    expect(Buffer.from(await readFile(root, read, MOST)).toString()).toBe('deep')
    await expect(readFile(await node([root]), read, MOST)).rejects.toMatchObject({
      ...{ code: 'CORRUPT', message: expect.stringContaining('deeper than 4 levels') },
    })
  })

  it('error: a tree that names empty nodes again and again is CORRUPT, and ends', async () => {
    const { node, read, reads } = createBlocks()
    let root = await node([])
    for (let level = 1; level < 4; level++) root = await node(Array.from({ length: 60 }, () => root))
    const most = { code: 'CORRUPT', message: expect.stringContaining('more than 65536 blocks') }
    await expect(readFile(root, read, MOST)).rejects.toMatchObject(most)
    await expect(blocksOf(root, read)).rejects.toMatchObject(most)
    expect(reads()).toBeLessThanOrEqual(2 * 65_536)
  })

  it('error: a block that was changed is CORRUPT; so is one whose name is no SHA-256 of it', async () => {
    const { leaf, node, read, set } = createBlocks()
    const child = await leaf('good')
    const root = await node([child])
    set(child, Buffer.from('evil'))
    await expect(readFile(root, read, MOST)).rejects.toMatchObject({
      ...{ code: 'CORRUPT', message: `block ${child} does not hash to its name` },
    })
    const named = CID.createV1(raw.code, identity.digest(Buffer.from('x')))
    set(named, Buffer.from('x'))
    await expect(readFile(named, read, MOST)).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  it('error: what is no node of a file is CORRUPT, whatever it is', async () => {
    const { leaf, node, put, read } = createBlocks()
    const file = new UnixFS({ type: 'file', data: Buffer.from('x') }).marshal()
    const whole = dagPb.encode({ Data: file, Links: [] })
    const wrong = {
      text: await put(dagPb.code, Buffer.from('this is no protobuf')),
      'a node that is cut off': await put(dagPb.code, whole.subarray(0, whole.length - 1)),
      'a node without data': await put(dagPb.code, dagPb.encode({ Links: [] })),
      'data that is cut off': await put(dagPb.code, dagPb.encode({ Data: file.subarray(0, 3), Links: [] })),
      'a directory': await node([await leaf('a file of it')], { type: 'directory' }),
      'another codec': await put(0x71, Buffer.from([0xa0])),
    }
    for (const [what, cid] of Object.entries(wrong))
      await expect(readFile(cid, read, MOST), what).rejects.toMatchObject({ name: 'StoreError', code: 'CORRUPT' })
  })
})

describe('blocksOf', () => {
  it('default: the root, and each block before those under it', async () => {
    const { leaf, node, read } = createBlocks()
    const [a, b] = [await leaf('a'), await leaf('b')]
    const inner = await node([b])
    const root = await node([a, inner])
    expect((await blocksOf(root, read)).map(String)).toEqual([root, a, inner, b].map(String))
  })

  it('behavior: below what is missing or damaged nothing is known, and the rest is', async () => {
    const { leaf, node, read, remove, set } = createBlocks()
    const [gone, broken] = [await node([await leaf('a')]), await node([await leaf('b')])]
    const root = await node([gone, broken, await leaf('c')])
    remove(gone)
    set(broken, Buffer.from('evil'))
    expect((await blocksOf(root, read)).map(String)).toEqual([root, gone, broken, await leaf('c')].map(String))
  })

  it('error: a store that fails otherwise is not passed over', async () => {
    const { node } = createBlocks()
    const away = async (): Promise<never> => {
      throw new StoreError('UNAVAILABLE', 'the disk is away')
    }
    await expect(blocksOf(await node([]), away)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
  })
})

it('default: fileNode gives the bytes, the links and the lengths of a block', async () => {
  const { leaf, node, read } = createBlocks()
  const child = await leaf('a')
  const root = await node([child], { data: Buffer.from('b') })
  const found = fileNode(root, await read(root))
  expect(found).toMatchObject({ links: [child], lengths: [1n] })
  expect(Buffer.from(found.data).toString()).toBe('b')
  expect(fileNode(child, await read(child))).toEqual({ data: Buffer.from('a'), links: [], lengths: [] })
})
