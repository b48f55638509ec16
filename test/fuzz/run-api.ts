/**
 * `npm run fuzz:api -- [--requests N] [--seed S]`: the query API over sockets against requests made from its description,
 * while epochs go on. Exit 1 with the seed and the request on failure.
 */
import { request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'
import { systemClock } from '../../connectors/system-clock.ts'
import { createStory, startApi } from '../ops/api/story.ts'
import { type Description, fuzzApi, type Send } from './api.ts'
import { KNOWN } from './api-known.ts'

/** Between two epochs. */
const EPOCH_MS = 250

const { values } = parseArgs({ options: { requests: { type: 'string', default: '10000' }, seed: { type: 'string' } } })
const runs = Number(values.requests)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (!Number.isSafeInteger(runs) || runs < 1 || !Number.isSafeInteger(seed)) {
  process.stderr.write('fuzz:api: --requests and --seed take integers\n')
  process.exit(2)
}
process.stdout.write(`seed ${seed}\n`)
const story = await createStory()
for (let epochId = 1; epochId <= 20; epochId++) await story.epoch(epochId, 20)
const api = await startApi(story.fixture)
await api.server.listen({ host: '127.0.0.1', port: 0 })
await api.caughtUp()
const { port } = api.server.server.address() as AddressInfo

const send: Send = ({ method, url, headers }) =>
  new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path: url, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
    sent.on('error', reject).end()
  })

let going = true
const goesOn = (async () => {
  for (let epochId = 21; going; epochId++) {
    await story.epoch(epochId, 20)
    await systemClock.sleep(EPOCH_MS)
  }
})()
const started = performance.now()
try {
  const description = (await api.get('/openapi.json')).json() as Description
  const statuses = await fuzzApi(description, KNOWN, send, { runs, seed })
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  process.stdout.write(`ok  ${runs} requests in ${seconds} s, answers by status: ${JSON.stringify(statuses)}\n`)
} catch (error) {
  process.stdout.write(`FAILED  ${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
} finally {
  going = false
  await goesOn
  await api.close()
}
