/** Look-ups while a process runs on the data directory: they ask it over HTTP. */
import { writeFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { runProofGet } from '../../../ops/check/proof/command.ts'
import { RUNNING_FILE } from '../../../ops/ground/running-process.ts'
import { runEpoch, runWhy } from '../../../ops/look/command.ts'
import { newFolder } from '../../folder.ts'
import { createFixture, MARKET, RULES, submissionOf, verdictOf } from './fixture.ts'

let server: Server | undefined
afterEach(() => server?.close())

/** A data directory whose process answers with `listener`. */
async function runningOn(listener: RequestListener): Promise<string> {
  server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server!.once('listening', resolve))
  const dataDir = newFolder()
  const { port } = server.address() as AddressInfo
  writeFileSync(join(dataDir, RUNNING_FILE), JSON.stringify({ url: `http://127.0.0.1:${port}` }))
  return dataDir
}
const locked = async () => Promise.reject(new Error('locked'))
const nothing = { found: { items: [], truncated: false }, unread: undefined }

test('default: a running process is asked', async () => {
  const asked: string[] = []
  const dataDir = await runningOn((request, response) => {
    asked.push(request.url!)
    const missing = request.url!.startsWith('/v1/epochs')
    response.writeHead(missing ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ items: [], next: null }))
  })
  expect(await runWhy(locked, { dataDir, slot: 7, epoch: 3 })).toEqual(nothing)
  expect(await runWhy(locked, { dataDir, submissionId: 'a/b' })).toEqual(nothing)
  const {
    found: [status],
  } = await runEpoch(locked, { dataDir, id: 3, dataMarket: MARKET })
  expect(status).toMatchObject({ dataMarket: MARKET, epochId: 3, phase: 'UNKNOWN' })
  expect(asked).toEqual([
    '/v1/slots/7/verdicts?origin=OWNER&epoch=3&limit=500',
    '/v1/slots/7/verdicts?origin=UNPROVEN&epoch=3&limit=500',
    '/v1/submissions/a%2Fb?limit=500',
    '/v1/markets',
    `/v1/epochs/3?market=${MARKET}`,
  ])
})

test('behavior: the file of a process that is gone does not matter', async () => {
  const { log, topics, put } = await createFixture()
  const submission = submissionOf({})
  const key = { dataMarket: MARKET, epochId: 3 }
  const position = await put(topics.submissions, { ...key, projectId: submission.projectId }, submission)
  await put(topics.verdicts, { ...key, slotId: 7 }, verdictOf(submission, position, 'DUPLICATE'))
  const dataDir = await runningOn(() => {})
  await new Promise((resolve) => server!.close(resolve))
  const open = async () => ({ log, topics, rules: RULES, appId: 'test', close: async () => {} })
  expect((await runWhy(open, { dataDir, slot: 7 })).found.items).toHaveLength(1)
})

test.each([
  [400, 'why', 'no such market', 2],
  [404, 'proof', 'no batch of epoch 3 has a submission of slot 7', 1],
  [503, 'proof', 'the view of the log is not open yet', 3],
])('error: the words of a process that refuses with %i', async (status, command, detail, exitCode) => {
  const dataDir = await runningOn((_request, response) => {
    response.writeHead(status, { 'content-type': 'application/problem+json' }).end(JSON.stringify({ detail }))
  })
  const asked =
    command === 'why' ? runWhy(locked, { dataDir, slot: 7 }) : runProofGet(locked, { dataDir, slot: 7, epoch: 3 })
  await expect(asked).rejects.toMatchObject({ message: detail, exitCode })
})
