/** The role intake on a log of its own: what the log says of slots, epochs, bans and lag decides what comes in. */
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { openEmbeddedLog } from '../../../../connectors/log/embedded/embedded.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { createHealth } from '../../../../ops/base/health.ts'
import { peersAdminOfLog } from '../../../../ops/ground/peers-admin.ts'
import { scanTopic } from '../../../../ops/reading/scan.ts'
import { startCollecting } from '../../../../ops/run/intake/start.ts'
import { createTold } from '../../../../ops/run/told.ts'
import type { Wiring } from '../../../../ops/run/wiring.ts'
import { createLeftOut } from '../../../../ops/watch/left-out.ts'
import { noLog } from '../../../../ops/watch/logging/log.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import type { Log } from '../../../../streams/ports.ts'
import { open, Stage, topics, until, write } from '../../../connectors/libp2p/harness.ts'
import { bytesOf, guide, MARKET, many, OPEN_EPOCH } from '../../../connectors/libp2p/signed.ts'
import { newFolder } from '../../../folder.ts'
import { openTick, rulesOf } from '../../../topology/world.ts'

const directory = newFolder()
const { slots, epochTicks, submissions, deadLetters } = topics
const rules = (() => {
  const world = rulesOf()
  return {
    ...world,
    markets: [{ ...world.markets[0]!, dataMarket: MARKET, chainId: 1, protocolState: `0x${'11'.repeat(20)}` }],
  }
})()

const limits = { doubtfulPerConnection: { burst: 20, perSecond: 0.001 } }

async function role(log: Log) {
  const metrics = createMetrics({ version: '0', roles: ['intake'], markets: [MARKET] })
  const config = {
    appId: 'app',
    instanceId: 'one',
    rules,
    workers: 0,
    warn: () => {},
    intake: { listen: ['/ip4/127.0.0.1/tcp/0'], peerKeyFile: join(directory, 'peer.key'), limits },
  }
  const health = createHealth(['intake'], systemClock.now)
  const leftOut = createLeftOut(metrics, noLog(), systemClock)
  const told = createTold(systemClock.now)
  const part = await startCollecting({ config, log, topics, metrics, health, leftOut, told } as unknown as Wiring)
  return { intake: { multiaddrs: part.multiaddrs! } as never, metrics, close: () => part.close() }
}

async function prepared(log: Log): Promise<void> {
  await log.createTopics([configOf(slots), configOf(epochTicks), configOf(submissions)])
  await log.createTopics([{ ...deadLetters, partitions: 1, cleanup: 'delete' }])
  const owners = [1, 2, 3].map((slotId) => ({ slotId, owner: (guide().ownersOf(slotId) as string[])[0]! }))
  const rows = owners.map(({ slotId, owner }) => ({
    topic: slots.name,
    partition: 0,
    timestamp: 1,
    key: slots.key.encode({ slotId }),
    value: slots.value.encode({
      slotId,
      history: [{ sinceBlock: 1, owner, active: true, sinceFork: 0, untilFork: 0 }],
    }),
  }))
  const tick = openTick(OPEN_EPOCH, 10, '', MARKET)
  const key = epochTicks.key.encode({ dataMarket: MARKET })
  const appender = await log.appender()
  const ticked = { topic: epochTicks.name, partition: 0, timestamp: 1, key, value: epochTicks.value.encode(tick) }
  await appender.append([...rows, ticked])
  await appender.close()
}

async function inLog(log: Log): Promise<Set<string>> {
  const ids = new Set<string>()
  for await (const { records } of scanTopic(log, submissions))
    for (const { value } of records) {
      const event = submissions.value.decode(value!)
      if ('submissionId' in event) ids.add(event.submissionId)
    }
  return ids
}

test('behavior: a flood for a slot is refused by what the log says of it, its owner is taken; bans outlive a restart', async () => {
  await using stage = new Stage()
  const path = join(directory, 'log')
  let log = await openEmbeddedLog({ directory: path })
  await prepared(log)
  let running = await role(log)
  const [attacker, owner] = [await stage.client(), await stage.client()]
  const refused = async () =>
    /seq_intake_refused_total\{reason="bad-signature"\} (\d+)/.exec(await running.metrics.text())
  const probe = await open(await stage.client(), running)
  for (let tries = 0; tries < 100 && Number((await refused())?.[1] ?? 0) === 0; tries++) {
    await write(probe, bytesOf(many(30, { bad: true }))) // until the slots are read
    await systemClock.sleep(300)
  }
  const bad = many(600, { bad: true })
  const attack = write(await open(attacker, running), bytesOf(bad), 20_000).catch(() => {}) // it may be thrown out
  const good = many(8)
  await write(await open(owner, running), bytesOf(good))
  const takenOf = async (messages: readonly { id: string }[]) => {
    const ids = await inLog(log)
    return messages.filter(({ id }) => ids.has(id)).length
  }
  await expect.poll(() => takenOf(good), { timeout: 10_000 }).toBe(8)
  await expect.poll(async () => Number((await refused())?.[1] ?? 0), { timeout: 10_000 }).toBeGreaterThan(0)
  await attack
  expect(await takenOf(bad)).toBe(20)

  const admin = peersAdminOfLog({ log, topics })
  const subject = owner.peerId.toString()
  await admin.change({ subject, banned: true, until: Date.now() + 3_600_000, reason: 'a test' })
  await until(() => owner.getConnections().length === 0, 'closed by the ban')
  await running.close()
  await log.close()

  log = await openEmbeddedLog({ directory: path })
  running = await role(log)
  const dials = async () => {
    const connection = await owner
      .dial(multiaddr((running.intake as { multiaddrs: string[] }).multiaddrs[0]!))
      .catch(() => undefined)
    await systemClock.sleep(100)
    return connection?.status === 'open'
  }
  await expect.poll(dials, { timeout: 10_000 }).toBe(false)
  await peersAdminOfLog({ log, topics }).change({ subject, banned: false, until: 0, reason: '' })
  await expect.poll(dials, { timeout: 10_000 }).toBe(true)
  await running.close()
  await log.close()
}, 60_000)
