import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FsBlockstore } from 'blockstore-fs'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { beforeEach, describe, expect, it } from 'vitest'
import { computeCid } from '../../../connectors/ipfs/cid.ts'
import { createFileBlockStore } from '../../../connectors/ipfs/file-store.ts'
import { newFolder } from '../../folder.ts'

let directory: string
beforeEach(() => {
  directory = newFolder()
})

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

describe('createFileBlockStore', () => {
  it('default: a batch comes back under its CID, also after a restart', async () => {
    const bytes = Buffer.from('{"submissionIDs":[]}')
    const cid = await (await createFileBlockStore({ directory })).put(bytes)
    expect(cid).toBe(await computeCid(bytes))
    const reopened = await createFileBlockStore({ directory })
    expect(Buffer.from(await reopened.get(cid))).toEqual(bytes)
  })

  it.each([0, 1] as const)(
    'args: version %i gives the CID of computeCid for any bytes, and the bytes back',
    async (version) => {
      const store = await createFileBlockStore({ directory, version })
      const sizes = fc.integer({ min: 0, max: 800_000 })
      await fc.assert(
        fc.asyncProperty(sizes, fc.integer(), async (size, seed) => {
          const bytes = Buffer.alloc(size, `${seed}`)
          const cid = await store.put(bytes)
          expect(cid).toBe(await computeCid(bytes, version))
          expect(Buffer.compare(await store.get(cid), bytes)).toBe(0)
        }),
        { numRuns: 20 },
      )
    },
  )

  it('behavior: two levels of links are read back', async () => {
    const store = await createFileBlockStore({ directory, version: 0 })
    const bytes = Buffer.alloc(174 * 262_144 + 5, 'abc')
    expect(Buffer.compare(await store.get(await store.put(bytes)), bytes)).toBe(0)
  }, 60_000)

  it('behavior: blockstore-fs reads the blocks', async () => {
    const cid = await (await createFileBlockStore({ directory })).put(Buffer.from('x'))
    const chunks: Uint8Array[] = []
    for await (const chunk of new FsBlockstore(directory).get(CID.parse(cid))) chunks.push(chunk)
    expect(Buffer.concat(chunks).toString()).toBe('x')
  })

  it('behavior: many puts of one batch at once leave one whole block and nothing unfinished', async () => {
    const store = await createFileBlockStore({ directory })
    const bytes = Buffer.alloc(100_000, 'z')
    const cids = await Promise.all(Array.from({ length: 20 }, () => store.put(bytes)))
    expect(new Set(cids).size).toBe(1)
    expect(filesIn(directory)).toHaveLength(1)
  })

  it('behavior: what a killed process left unfinished is removed by a later start, what another writes now is not', async () => {
    await createFileBlockStore({ directory })
    const [left, written] = ['left', 'written'].map((name) => join(directory, 'unfinished', name)) as [string, string]
    for (const file of [left, written]) writeFileSync(file, 'half')
    const twoHoursAgo = Date.now() / 1_000 - 7_200
    utimesSync(left, twoHoursAgo, twoHoursAgo)
    await createFileBlockStore({ directory })
    expect(filesIn(directory)).toEqual([written])
  })

  it('error: a block that cannot be put in its place leaves nothing behind, however often it is tried', async () => {
    const store = await createFileBlockStore({ directory })
    const cid = await store.put(Buffer.from('x'))
    const [place] = filesIn(directory)
    rmSync(place!)
    mkdirSync(join(place!, 'in the way'), { recursive: true })
    for (let tries = 0; tries < 3; tries++)
      await expect(store.put(Buffer.from('x'))).rejects.toThrow(`cannot write block ${cid}`)
    expect(filesIn(directory)).toEqual([])
  })

  it('error: a block that was changed on the disk is CORRUPT, and putting it again repairs it', async () => {
    const store = await createFileBlockStore({ directory })
    const cid = await store.put(Buffer.from('good'))
    const [file] = filesIn(directory)
    writeFileSync(file!, 'evil')
    await expect(store.get(cid)).rejects.toMatchObject({ code: 'CORRUPT' })
    await store.put(Buffer.from('good'))
    expect(readFileSync(file!, 'utf8')).toBe('good')
  })

  it('error: an unknown CID is NOT_FOUND', async () => {
    const store = await createFileBlockStore({ directory })
    await expect(store.get(await computeCid(Buffer.from('nowhere')))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('error: a batch above bytesMax is TOO_LARGE', async () => {
    const store = await createFileBlockStore({ directory, bytesMax: 10 })
    await expect(store.get(await store.put(Buffer.alloc(11)))).rejects.toMatchObject({ code: 'TOO_LARGE' })
  })

  it('error: a CID that names no file is CORRUPT, not a crash', async () => {
    const store = await createFileBlockStore({ directory })
    const raw = CID.parse(await store.put(Buffer.from('this is no protobuf')))
    const asNode = CID.createV1(0x70, raw.multihash).toString()
    await expect(store.get(asNode)).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  it('error: a file in the place of the directory is said', async () => {
    const path = join(directory, 'file')
    writeFileSync(path, '')
    await expect(createFileBlockStore({ directory: path })).rejects.toMatchObject({ name: 'StoreError' })
  })
})

describe('what is kept', () => {
  it('behavior: blocks that a batch shares with one that stays do not go with it', async () => {
    const store = await createFileBlockStore({ directory })
    const shared = Buffer.alloc(262_144, 'shared')
    const [first, second] = [
      Buffer.concat([shared, Buffer.from('first')]),
      Buffer.concat([shared, Buffer.from('second')]),
    ]
    const [going, staying] = [await store.put(first), await store.put(second)]
    await store.remove(going, [staying])
    await store.remove(going, [staying])
    expect([await store.has(going), await store.has(staying)]).toEqual([false, true])
    expect(Buffer.from(await store.get(staying))).toEqual(second)
  })
})
