/** Ports for processes that must keep the same one over a restart. */
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { RealPartError } from './errors.ts'

/**
 * Below the range from which systems take the ports of outgoing connections (Linux: from 32768): while a killed broker is
 * down, a client that tries to reconnect could otherwise be given that very port, and connect to itself.
 */
const FIRST = 20_000
const LAST = 32_000
const TRIES_MAX = 1_000

/** `count` different ports of the loopback interface that nothing listens on now. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>()
  for (let tries = 0; ports.size < count; tries++) {
    if (tries > TRIES_MAX)
      throw new RealPartError('START_FAILED', `no ${count} free ports were found from ${FIRST} to ${LAST}`)
    const port = randomInt(FIRST, LAST)
    if (!ports.has(port) && (await isFree(port))) ports.add(port)
  }
  return [...ports]
}

export const isFree = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const server = createServer()
    server.once('error', () => done(false))
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)))
  })
