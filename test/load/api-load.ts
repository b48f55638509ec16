/** The load of test/load/api.ts: port, requests a second, seconds. */
import { Agent, get } from 'node:http'
import { uuid } from '../ops/api/story.ts'

export interface LoadReport {
  readonly sent: number
  readonly answered: number
  readonly failed: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const SOCKETS_MAX = 64
const TICK_MS = 5
const [port, rate, seconds] = process.argv.slice(2).map(Number) as [number, number, number]
const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX })
/** As a console, dashboards and snapshotters ask: lists, any of 50 epochs, what became of a slot or a submission in it. */
const paths = (n: number): string => {
  const turn = Math.floor(n / 10)
  const [epoch, slot] = [(turn % 50) + 1, ((turn * 7 + Math.floor(turn / 200)) % 200) + 1]
  return [
    '/v1/epochs?limit=20',
    `/v1/slots/${slot}/verdicts?epoch=${epoch}`,
    `/v1/epochs/${epoch}`,
    `/v1/submissions/${uuid(epoch, slot)}`,
    `/v1/epochs/${epoch}/verdicts?limit=50`,
    '/v1/health',
    `/v1/slots/${slot}/verdicts?limit=10`,
    '/v1/anchors?limit=20',
    `/v1/epochs/${epoch}/projects`,
    `/v1/batches?epoch=${epoch}`,
  ][n % 10]!
}

const times: number[] = []
let [sent, failed] = [0, 0]
const started = performance.now()
const done = new Promise<void>((resolve) => {
  const ask = (due: number, n: number): void => {
    const ended = (status: number): void => {
      times.push(performance.now() - due)
      if (status !== 200) failed++
      if (times.length === rate * seconds) resolve()
    }
    get({ port, host: '127.0.0.1', path: paths(n), agent }, (response) => {
      response.resume().on('end', () => ended(response.statusCode!))
    }).on('error', () => ended(0))
  }
  const timer = setInterval(() => {
    const due = Math.min(rate * seconds, Math.floor(((performance.now() - started) / 1_000) * rate))
    while (sent < due) {
      ask(started + (sent / rate) * 1_000, sent)
      sent++
    }
    if (sent === rate * seconds) clearInterval(timer)
  }, TICK_MS)
})
await done
times.sort((a, b) => a - b)
const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))]!
const report: LoadReport = {
  sent,
  answered: times.length,
  failed,
  seconds: (performance.now() - started) / 1_000,
  p50: at(0.5),
  p99: at(0.99),
  max: at(1),
}
process.send!(report)
process.disconnect()
agent.destroy()
