/** A process that is told to end while it still starts. */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { startSequencer } from './run-sequencer.ts'

/** Far below the waits of a start, each of which is a minute or more. */
const SOON_MS = 10_000
const ADDRESS = `0x${'a'.repeat(40)}`

const directory = mkdtempSync(join(tmpdir(), 'sequencer-starting-'))
const sockets = new Set<Socket>()
let silent: Server
beforeAll(async () => {
  silent = createServer((socket) => sockets.add(socket.on('error', () => {})))
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
})
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  silent.close()
  rmSync(directory, { recursive: true, force: true })
})

test('behavior: SIGTERM ends at once and well one that waits for brokers which take connections and never answer', async () => {
  const at = `127.0.0.1:${(silent.address() as AddressInfo).port}`
  const config = join(directory, 'sequencer.yaml')
  const chain = { rpcUrls: [`http://${at}`], chainId: 1, protocolState: ADDRESS }
  writeFileSync(
    config,
    stringify({ kafka: { brokers: [at] }, registry: { url: `http://${at}` }, chain, markets: [ADDRESS] }),
  )
  const { child, finished, waitFor } = startSequencer(['run', '--config', config, '--json', '--roles', 'admit'])
  await waitFor(({ event }) => event === 'starting')
  await expect.poll(() => sockets.size, { timeout: 30_000 }).toBeGreaterThan(0)
  const asked = performance.now()
  child.kill('SIGTERM')
  const { exitCode, stderr } = await finished
  expect(stderr).not.toContain('error:')
  expect(exitCode).toBe(0)
  expect(performance.now() - asked).toBeLessThan(SOON_MS)
}, 60_000)
