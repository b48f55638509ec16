/** A real Alertmanager with our routes: alerts reach the webhook once, also when the webhook was away, and so does their end. */
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startForwarding } from '../../../../ops/deploy/alerts/forward.ts'
import { freePorts } from '../../../../ops/world/brokers/ports.ts'
import { findTool } from '../../../../ops/world/brokers/tools.ts'
import { newFolder } from '../../../folder.ts'
import { installMissing } from '../../../real/debian.ts'
import { until } from '../../../until.ts'

const FOLDER = fileURLToPath(new URL('../../../../ops/watch/prometheus/', import.meta.url))
const WAIT_MS = 60_000

beforeAll(() => installMissing(['prometheus-alertmanager']))
const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})

test.each(['alertmanager.yml', 'alertmanager-slack-pagerduty.yml'])('default: Alertmanager takes %s', (file) => {
  const said = execFileSync('amtool', ['check-config', join(FOLDER, file)], { encoding: 'utf8' })
  expect(said).toContain('SUCCESS')
  expect(said).toContain('2 receivers')
})

test('behavior: a page reaches the webhook once, after an outage of it, and so does its end', async () => {
  const got: Record<string, string>[] = []
  let isAway = true
  const hook = createServer((request, response) => {
    void json(request).then((body) => {
      if (!isAway) got.push(body as Record<string, string>)
      response.writeHead(isAway ? 503 : 200).end()
    })
  })
  await new Promise<void>((done) => hook.listen(0, '127.0.0.1', done))
  closing.push(() => hook.close())
  const warned: string[] = []
  const forwarding = await startForwarding({
    host: '127.0.0.1',
    port: 0,
    webhook: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/`,
    processName: 'sequencer',
    warn: (text) => void warned.push(text),
  })
  closing.push(() => forwarding.close())
  const say = await startAlertmanager(`${forwarding.url}/alerts`)

  await say({})
  await until('the webhook has refused it twice', () => warned.length >= 2, { limitMs: WAIT_MS })
  isAway = false
  await until('it is taken', () => got.length > 0, { limitMs: WAIT_MS })
  await say({ endsAt: new Date().toISOString() })
  await until('its end is taken', () => got.length > 1, { limitMs: WAIT_MS })
  expect(got.map(({ severity }) => severity)).toEqual(['page', 'resolved'])
  expect(got[0]).toMatchObject({ process_name: 'validate:9190', error_msg: 'RoleDown · Nobody does it.' })
})

/** With the waits of our routes shortened. @returns what posts the alert, as Prometheus does */
async function startAlertmanager(url: string): Promise<(fields: object) => Promise<void>> {
  const folder = newFolder()
  const config = readFileSync(join(FOLDER, 'alertmanager.yml'), 'utf8')
    .replaceAll('http://alerts:9195/alerts', url)
    .replaceAll(/(group_wait|group_interval): \w+/g, '$1: 1s')
  writeFileSync(join(folder, 'alertmanager.yml'), config)
  const [port] = await freePorts(1)
  const at = `127.0.0.1:${port}`
  const options = [`--config.file=${join(folder, 'alertmanager.yml')}`, `--storage.path=${join(folder, 'data')}`]
  const child = spawn(
    findTool('prometheus-alertmanager'),
    [...options, `--web.listen-address=${at}`, '--cluster.listen-address='],
    { stdio: 'ignore' },
  )
  closing.push(() => child.kill('SIGKILL'))
  await until(
    'Alertmanager is ready',
    async () => (await fetch(`http://${at}/-/ready`).catch(() => undefined))?.ok === true,
    { limitMs: WAIT_MS },
  )
  const labels = { alertname: 'RoleDown', severity: 'page', instance: 'validate:9190' }
  const alert = { labels, annotations: { summary: 'Nobody does it.' }, startsAt: new Date().toISOString() }
  return async (fields) => {
    const body = JSON.stringify([{ ...alert, ...fields }])
    const headers = { 'content-type': 'application/json' }
    const { status } = await fetch(`http://${at}/api/v2/alerts`, { method: 'POST', headers, body })
    expect(status).toBe(200)
  }
}
