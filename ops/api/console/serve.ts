/**
 * The web console at `/`: a page and its assets, read once and answered from memory. The page asks only the API of the
 * same server, which a strict content policy holds it to.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'

/** Compiled, the build put them beside this file; run from the sources, into the build's folder. */
const ASSETS = fileURLToPath(
  new URL(import.meta.url.endsWith('.ts') ? '../../../dist/ops/api/console/assets/' : './assets/', import.meta.url),
)
const PAGE = 'index.html'
const NOT_BUILT =
  'The console was not built: run `npm run build` and start again. The API under /v1 works without it.\n'

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

const SECURITY_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

interface Asset {
  readonly type: string
  readonly etag: string
  readonly plain: Buffer
  readonly gzip: Buffer
}

/** `assets`: where the build put the page; another folder is for tests. */
export function registerConsole(server: FastifyInstance, assets = ASSETS): void {
  const files = readAssets(assets)
  const page = files.get(PAGE)
  server.get('/', (request, reply) =>
    page
      ? send(request, reply.headers({ ...SECURITY_HEADERS, 'cache-control': 'no-cache' }), page)
      : reply.code(503).type('text/plain; charset=utf-8').send(NOT_BUILT),
  )
  server.get<{ Params: { file: string } }>('/assets/:file', (request, reply) => {
    const asset = files.get(request.params.file)
    if (!asset) return reply.callNotFound()
    return send(request, reply.headers({ ...SECURITY_HEADERS, 'cache-control': IMMUTABLE }), asset)
  })
}

/** A changed file has another name. */
const IMMUTABLE = 'public, max-age=31536000, immutable'

function readAssets(folder: string): ReadonlyMap<string, Asset> {
  const names = existsSync(folder) ? readdirSync(folder) : []
  return new Map(
    names.map((name) => {
      const plain = readFileSync(join(folder, name))
      const etag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`
      return [name, { type: TYPES[extname(name)] ?? 'application/octet-stream', etag, plain, gzip: gzipSync(plain) }]
    }),
  )
}

function send(request: FastifyRequest, reply: FastifyReply, { type, etag, plain, gzip }: Asset): FastifyReply {
  reply.headers({ etag, vary: 'accept-encoding' })
  if (request.headers['if-none-match'] === etag) return reply.code(304).send()
  const packed = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
  if (packed) reply.header('content-encoding', 'gzip')
  return reply.type(type).send(packed ? gzip : plain)
}
