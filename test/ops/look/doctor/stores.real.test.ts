/** Every answer of a store, as `doctor` tells it. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { examineStores } from '../../../../ops/look/doctor/stores.ts'
import { type PinServer, startPinServer, TOKEN } from '../../../connectors/ipfs/pin-server.ts'
import { ANSWERS, type StoreServer, startStoreServer } from '../../../connectors/ipfs/store-server.ts'

let directory: string
let server: StoreServer
let service: PinServer
let pinning: { url: string; tokenFile: string; origins: string[] }[]
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'doctor-stores-'))
  server = await startStoreServer()
  service = await startPinServer()
  const tokenFile = join(directory, 'token')
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 })
  pinning = [{ url: service.url, tokenFile, origins: [] }]
})
afterEach(async () => {
  await server.close()
  await service.close()
  rmSync(directory, { recursive: true, force: true })
})

const blocks = () => join(directory, 'blocks')

describe('examineStores', () => {
  it('default: each store, each service, and what their number means', async () => {
    const found = await examineStores({ directory: blocks(), kubo: [server.url], pinning, cidVersion: 1 })
    expect(found.map(({ check, ok }) => [check, ok])).toEqual([
      ['storage', true],
      ['storage', true],
      ['storage', true],
      ['stores', true],
    ])
    expect(found[1]!.detail).toMatch(/^kubo .*: wrote and read back baf.*, and keeps it$/)
    expect(found[3]!.detail).toBe('2 of 2 stores work, and 1 must hold a batch before it is anchored: 1 may be down')
    expect(service.pins.size).toBe(0)
  })

  it('behavior: as many as must are enough, with advice', async () => {
    const found = await examineStores({ directory: blocks(), kubo: [server.url], required: 2, cidVersion: 1 })
    expect(found.at(-1)).toMatchObject({
      ok: true,
      advice: expect.stringContaining('A single store down stops anchoring'),
    })
  })

  // those that hang take the time-out of doctor
  it.each(ANSWERS.filter(([what]) => !/never|hangs/.test(what)))(
    'error: a store that %s: what is wrong and what to do',
    async (_what, _code, answer) => {
      server.play(answer)
      const found = await examineStores({ directory: blocks(), kubo: [server.url], required: 2, cidVersion: 1 })
      expect(found[1]).toMatchObject({ check: 'storage', ok: false, advice: expect.stringMatching(/.{20}/) })
      expect(found[1]!.detail).toContain(`kubo ${new URL(server.url).host}`)
      expect(found[2]).toMatchObject({ ok: false, advice: expect.stringContaining('No batch is anchored') })
    },
  )

  it('error: a Kubo that does not pin', async () => {
    const well = server
    const pins = JSON.stringify({ Message: "path 'x' is not pinned", Code: 0, Type: 'error' })
    well.play(async ({ command, response, files, body, parameters }) => {
      if (command === 'pin/ls') return response.writeHead(500).end(pins)
      if (command === 'cat') return response.end(await files.get(parameters.get('arg')!))
      const cid = await files.put(Buffer.from('sequencer doctor\n'))
      return response.end(`${JSON.stringify({ Hash: cid, Size: `${body.length}` })}\n`)
    })
    const [found] = await examineStores({ kubo: [server.url], cidVersion: 1 })
    expect(found).toMatchObject({ ok: false, advice: expect.stringContaining('does not pin') })
  })

  it('error: a token that is wrong, and one that others may read', async () => {
    writeFileSync(pinning[0]!.tokenFile, 'wrong')
    const config = { kubo: [server.url], pinning, cidVersion: 1 as const }
    const refused = (await examineStores(config))[1]
    expect(refused).toMatchObject({ ok: false, detail: expect.stringContaining('answers 401: UNAUTHORIZED') })
    chmodSync(pinning[0]!.tokenFile, 0o644)
    expect(await examineStores(config)).toMatchObject([{ ok: false, detail: expect.stringContaining('chmod 600') }])
  })

  it('behavior: nothing named is not looked at', async () => {
    expect(await examineStores({ kubo: [], cidVersion: 1 })).toMatchObject([{ ok: null }])
  })
})
