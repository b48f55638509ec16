/** Checks that each broker that the cluster names can be reached from here. */
import { createConnection } from 'node:net'
import type { Finding } from './finding.ts'

const CONNECT_MS_MAX = 3_000

interface Broker {
  readonly host: string
  readonly port: number
}

export async function examineBrokers(brokers: readonly Broker[]): Promise<Finding> {
  const failures = await Promise.all(brokers.map(failureOf))
  const away = failures.filter((failure) => failure !== undefined)
  const names = brokers.map(({ host, port }) => `${host}:${port}`)
  if (away.length === 0) return { check: 'brokers', ok: true, detail: names.join(', ') }
  return {
    check: 'brokers',
    ok: false,
    detail: `${away.length} of ${brokers.length} do not answer: ${away.join(', ')}`,
    advice: 'Start them. A topic that has fewer than `kafka.minInsyncReplicas` copies meanwhile cannot be written.',
  }
}

/** @returns undefined when it takes a connection */
const failureOf = ({ host, port }: Broker): Promise<string | undefined> =>
  new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: CONNECT_MS_MAX })
    const end = (failure?: string): void => {
      socket.destroy()
      resolve(failure && `${host}:${port} (${failure})`)
    }
    socket.once('connect', () => end())
    socket.once('timeout', () => end(`no answer in ${CONNECT_MS_MAX / 1_000} s`))
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message))
  })
