/**
 * How a command reaches the process that runs on a data directory to change something there: a Unix socket that only its
 * owner may open. The HTTP interface stays read-only, and no page in a browser can reach this one.
 */
import { createHash } from 'node:crypto'
import { chmodSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import Fastify from 'fastify'
import { z } from 'zod'
import { address } from '../options.ts'
import type { MarketsDoor } from './door.ts'

/** The address of a socket holds 104 bytes on some systems, 108 on others. */
const PATH_BYTES_MAX = 100
const OWNER_ONLY = 0o600
const requestSchema = z.strictObject({ dataMarket: address, served: z.boolean() })

/** In the data directory, or among the temporary files when that has too long a name. */
export function adminSocketPath(dataDir: string): string {
  const inside = join(resolve(dataDir), 'admin.sock')
  if (Buffer.byteLength(inside) <= PATH_BYTES_MAX) return inside
  return join(tmpdir(), `sequencer-${createHash('sha256').update(inside).digest('hex').slice(0, 16)}.sock`)
}

/** The caller holds the directory's log, so a socket that lies there is one that a killed process left. */
export async function startAdminSocket(path: string, door: MarketsDoor): Promise<{ close(): Promise<void> }> {
  const server = Fastify({ logger: false, forceCloseConnections: true })
  server.get('/markets', () => door.statuses())
  server.post('/markets', async (request, reply) => {
    const asked = requestSchema.safeParse(request.body)
    if (!asked.success) return reply.code(400).send({ message: z.prettifyError(asked.error) })
    return { requestId: await door.ask(asked.data.dataMarket, asked.data.served) }
  })
  rmSync(path, { force: true })
  await server.listen({ path })
  chmodSync(path, OWNER_ONLY)
  return { close: () => server.close() }
}
