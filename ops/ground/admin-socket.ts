/**
 * How a command reaches the process that runs on a data directory to change something there: a Unix socket that only its
 * owner may open. The HTTP interface stays read-only, and no page in a browser can reach this one.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import Fastify from 'fastify'
import { z } from 'zod'
import { address } from '../base/options.ts'
import type { MarketsAdmin } from './markets-admin.ts'
import type { PeersAdmin } from './peers-admin.ts'

/** The address of a socket holds 104 bytes on some systems, 108 on others. */
const PATH_BYTES_MAX = 100
const OWNER_ONLY = 0o600
const OWNERS_DIRECTORY = 0o700
const banSchema = z.strictObject({
  subject: z.string().max(100),
  banned: z.boolean(),
  until: z.number().int().min(0),
  reason: z.string().max(200),
})
const requestSchema = z.strictObject({ dataMarket: address, served: z.boolean() })

/** In the data directory, where nobody else may look, so that not even for a moment anybody may open the socket. */
const folderIn = (dataDir: string): string => join(resolve(dataDir), 'admin')
const socketIn = (dataDir: string): string => join(folderIn(dataDir), 'sock')
/** Says where the socket is when the data directory has too long a name for one. */
const pointerIn = (dataDir: string): string => join(folderIn(dataDir), 'elsewhere')

/** Where the process that runs on the directory listens, if one does. */
export function adminSocketPath(dataDir: string): string {
  const inside = socketIn(dataDir)
  if (Buffer.byteLength(inside) <= PATH_BYTES_MAX) return inside
  try {
    return readFileSync(pointerIn(dataDir), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return inside
    throw error
  }
}

/** The caller holds the directory's log, so a socket that lies there is one that a killed process left. */
export async function startAdminSocket(
  dataDir: string,
  admin: MarketsAdmin,
  peers: PeersAdmin,
): Promise<{ close(): Promise<void> }> {
  const server = Fastify({ logger: false, forceCloseConnections: true })
  server.get('/markets', () => admin.statuses())
  server.post('/markets', async (request, reply) => {
    const asked = requestSchema.safeParse(request.body)
    if (!asked.success) return reply.code(400).send({ message: z.prettifyError(asked.error) })
    return { requestId: await admin.ask(asked.data.dataMarket, asked.data.served) }
  })
  server.get('/peers', () => peers.status())
  server.post('/peers', async (request, reply) => {
    const asked = banSchema.safeParse(request.body)
    if (!asked.success) return reply.code(400).send({ message: z.prettifyError(asked.error) })
    await peers.change(asked.data)
    return {}
  })
  rmSync(folderIn(dataDir), { recursive: true, force: true })
  mkdirSync(folderIn(dataDir), { mode: OWNERS_DIRECTORY })
  const { path, forget } = placeOf(dataDir)
  await server.listen({ path })
  chmodSync(path, OWNER_ONLY)
  return { close: () => server.close().finally(forget) }
}

/** A directory of a name that nobody can foresee, and that only its owner may enter, when there is no room in the data directory. */
function placeOf(dataDir: string): { path: string; forget(): void } {
  const path = socketIn(dataDir)
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path, forget() {} }
  const elsewhere = mkdtempSync(join(tmpdir(), 'sequencer-'))
  writeFileSync(pointerIn(dataDir), join(elsewhere, 'sock'), { mode: OWNER_ONLY })
  return {
    path: join(elsewhere, 'sock'),
    forget() {
      rmSync(elsewhere, { recursive: true, force: true })
      rmSync(pointerIn(dataDir), { force: true })
    },
  }
}
