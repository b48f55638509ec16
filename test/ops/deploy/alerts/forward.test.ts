/** Notifications as Alertmanager posts them, forwarded to a webhook that takes them, refuses them, or is away. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { afterEach, expect, test } from 'vitest'
import { startForwarding } from '../../../../ops/deploy/alerts/forward.ts'
import { OBEYED } from '../../hostile.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function webhook() {
  const got: Record<string, string>[] = []
  const state = { status: 200, asked: 0, answersFrom: 0 }
  const answers: (() => void)[] = []
  const server = createServer((request, response) => {
    state.asked++
    void json(request).then((body) => {
      answers.push(() => {
        if (state.status === 200) got.push(body as Record<string, string>)
        response.writeHead(state.status, { location: 'http://127.0.0.1:1/' }).end('x'.repeat(10_000))
      })
      if (state.asked >= state.answersFrom) for (const answer of answers.splice(0)) answer()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return { got, state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook/secret-part` }
}

async function forwarding(webhook: string, notificationMs?: number) {
  const warned: string[] = []
  let time = 0
  const options = { host: '127.0.0.1', port: 0, webhook, processName: 'sequencer', now: () => time }
  const bound = notificationMs === undefined ? {} : { notificationMs }
  const server = await startForwarding({ ...options, ...bound, warn: (text) => void warned.push(text) })
  closing.push(() => server.close())
  const post = async (body: unknown): Promise<number> => {
    const headers = { 'content-type': 'application/json' }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return (await fetch(`${server.url}/alerts`, { method: 'POST', headers, body: text })).status
  }
  const pass = (ms: number): void => {
    time += ms
  }
  return { post, warned, pass }
}

const alertOf = (fields: object = {}) => ({
  status: 'firing',
  labels: { alertname: 'RoleDown', severity: 'page', instance: 'validate:9190', job: 'sequencer', role: 'validate' },
  annotations: { summary: 'Nobody does it.', description: 'Start one.', runbook_url: 'docs/runbook.md#roledown' },
  startsAt: '2026-11-30T10:00:00.123Z',
  endsAt: '0001-01-01T00:00:00Z',
  fingerprint: 'a1',
  ...fields,
})
const notification = (...alerts: object[]) => ({ version: '4', groupKey: '{}', receiver: 'pages', alerts })

test('default: an alert is posted in the shape of the deployed services, when it begins and when it is over', async () => {
  const hook = await webhook()
  const { post } = await forwarding(hook.url)
  expect(await post(notification(alertOf()))).toBe(200)
  expect(await post(notification(alertOf({ status: 'resolved', endsAt: '2026-11-30T10:05:00Z' })))).toBe(200)
  expect(hook.got).toEqual([
    {
      process_name: 'validate:9190',
      error_msg: 'RoleDown · Nobody does it. · Start one. · role=validate · docs/runbook.md#roledown',
      timestamp: '2026-11-30T10:00:00.123Z',
      severity: 'page',
    },
    {
      process_name: 'validate:9190',
      error_msg: 'RoleDown is over · Nobody does it. · role=validate',
      timestamp: '2026-11-30T10:05:00Z',
      severity: 'resolved',
    },
  ])
})

test('behavior: an alert that is not taken is answered with 502, and only that one is posted again', async () => {
  const hook = await webhook()
  const { post, warned, pass } = await forwarding(hook.url)
  const [first, second] = [alertOf(), alertOf({ fingerprint: 'b2', labels: { alertname: 'ChainStalled' } })]
  expect(await post(notification(first))).toBe(200)
  hook.state.status = 503
  expect(await post(notification(first, second))).toBe(502)
  expect(warned).toEqual(['ChainStalled was not taken: the webhook answers 503; Alertmanager sends it again'])
  hook.state.status = 200
  expect(await post(notification(first, second))).toBe(200)
  expect(hook.got.map(({ error_msg }) => error_msg!.split(' ')[0])).toEqual(['RoleDown', 'ChainStalled'])
  expect(hook.got[1]).toMatchObject({ process_name: 'sequencer', severity: '' })
  pass(300_000)
  expect(await post(notification(first))).toBe(200) // it is said again since it still fires
  expect(hook.got).toHaveLength(3)
})

test('error: a webhook that is away, or sends elsewhere, is told without its address', async () => {
  const { post, warned } = await forwarding('http://127.0.0.1:9/hook/secret-part')
  expect(await post(notification(alertOf()))).toBe(502)
  const hook = await webhook()
  hook.state.status = 302
  const elsewhere = await forwarding(hook.url)
  expect(await elsewhere.post(notification(alertOf()))).toBe(502)
  expect([...warned, ...elsewhere.warned].join()).not.toContain('secret-part')
  expect([...warned, ...elsewhere.warned]).toEqual([
    expect.stringMatching(/^RoleDown was not taken: the webhook cannot be reached \(/),
    expect.stringMatching(/^RoleDown was not taken: the webhook cannot be reached \(/),
  ])
})

test('error: a webhook that does not answer holds a notification up for its time, not for each alert', async () => {
  const hook = await webhook()
  hook.state.answersFrom = Number.POSITIVE_INFINITY
  const { post, warned } = await forwarding(hook.url, 200)
  const alerts = Array.from({ length: 256 }, (_, i) => alertOf({ fingerprint: `f${i}` }))
  expect(await post(notification(...alerts))).toBe(502)
  expect(hook.state.asked).toBeLessThanOrEqual(8)
  expect(warned).toEqual([
    expect.stringMatching(/^RoleDown was not taken: the webhook .*; and 255 more; Alertmanager sends/),
  ])
  const { asked } = hook.state
  hook.state.answersFrom = 0
  expect(await post(notification(...alerts.slice(0, 3)))).toBe(200)
  expect(hook.state.asked, 'none counts as taken').toBe(asked + 3)
})

test('behavior: eight alerts are posted at once, also where none is answered before the others are there', async () => {
  const hook = await webhook()
  hook.state.answersFrom = 8
  const { post } = await forwarding(hook.url)
  const alerts = Array.from({ length: 20 }, (_, i) => alertOf({ fingerprint: `f${i}` }))
  expect(await post(notification(...alerts))).toBe(200)
  expect(hook.got).toHaveLength(20)
})

test('error: what is none of Alertmanager’s is refused for good, with what is wrong', async () => {
  const hook = await webhook()
  const { post, warned } = await forwarding(hook.url)
  expect(await post({ version: '3', alerts: [] })).toBe(400)
  expect(await post(notification(alertOf({ startsAt: 'yesterday' })))).toBe(400)
  expect(await post(notification(...Array.from({ length: 257 }, () => alertOf())))).toBe(400)
  expect(await post('{')).toBe(400)
  expect(await post('x'.repeat(2 << 20))).toBe(413)
  expect(warned.slice(0, 2)).toEqual([expect.stringContaining('version'), expect.stringContaining('alerts.0.startsAt')])
  expect(hook.got).toEqual([])
})

test('behavior: foreign text is shown by its escapes, and cut', async () => {
  const hook = await webhook()
  const { post } = await forwarding(hook.url)
  const labels = { alertname: 'X', severity: 'page', project: 'a\u001b[2Jb\n', long: 'y'.repeat(5_000) }
  await post(notification(alertOf({ labels, annotations: { description: 'z'.repeat(5_000) } })))
  expect(hook.got[0]!.error_msg).not.toMatch(OBEYED)
  expect(hook.got[0]!.error_msg!.length).toBeLessThan(2_100)
})
