import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { brokersAlive } from '../../../../ops/world/brokers/probe.ts'
import { startKafka } from '../../../../ops/world/brokers/start.ts'
import { sharedKafka } from '../../../real/kafka.ts'

test('default: the broker that all tests share serves clients', async () => {
  const { bootstrap } = sharedKafka()
  expect(bootstrap).toHaveLength(1)
  expect(await brokersAlive(Number(bootstrap[0]!.split(':')[1]))).toBe(1)
})

test('behavior: three brokers see each other; one is killed and comes back', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
  const told: number[] = []
  const advertised = (_nodeId: number, port: number) => told[told.push(port) - 1]!
  const kafka = await startKafka({ brokers: 3, directory, advertised })
  try {
    expect(kafka.bootstrap).toEqual(told.map((port) => `127.0.0.1:${port}`))
    const [first, second] = kafka.brokers as [(typeof kafka.brokers)[0], (typeof kafka.brokers)[0]]
    const pid = first.pid
    await first.kill9()
    expect([first.running, await isOpen(first.port), await isOpen(second.port)]).toEqual([false, false, true])
    await first.restart()
    expect(first.pid).not.toBe(pid)
    await expect.poll(() => brokersAlive(second.port), { timeout: 30_000 }).toBe(3)
  } finally {
    await kafka.close()
    rmSync(directory, { recursive: true, force: true })
  }
})

test('error: of a broker that somebody kills the one who started it is told, and of one that is stopped not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
  const told: unknown[] = []
  const start = () => startKafka({ brokers: 1, directory, onEnded: (error) => told.push(error) })
  try {
    const killed = await start()
    process.kill(killed.brokers[0]!.pid, 'SIGKILL')
    await expect
      .poll(() => told, { timeout: 30_000 })
      .toMatchObject([{ code: 'ENDED', exitCode: 137, message: /^Kafka broker 1 was ended by SIGKILL/ }])
    const stopped = await start()
    await stopped.close()
    expect(told).toHaveLength(1)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})

test('error: a start that is given up leaves no broker behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sequencer-kafka-'))
  const stop = new AbortController()
  const starting = startKafka({ brokers: 1, directory, signal: stop.signal })
  await expect.poll(() => existsSync(join(directory, 'broker-1.log')), { timeout: 30_000 }).toBe(true)
  stop.abort()
  await expect(starting).rejects.toMatchObject({ code: 'STOPPED' })
  expect(readFileSync(join(directory, 'broker-1.log'), 'utf8')).not.toContain('Kafka Server started')
  rmSync(directory, { recursive: true, force: true })
})

const isOpen = (port: number): Promise<boolean> =>
  new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      done(true)
    })
    socket.once('error', () => done(false))
  })
