/** What an operator asks for with `peers`, what the log keeps of it, and what is shown. */
import { expect, test } from 'vitest'
import { readSubject } from '../../../../connectors/libp2p/bans.ts'
import { createMemoryLog } from '../../../../connectors/log/memory/memory.ts'
import { textOf } from '../../../../ops/base/output.ts'
import { renderPeers } from '../../../../ops/deploy/peers/render.ts'
import { adminSocketPath, startAdminSocket } from '../../../../ops/ground/admin-socket.ts'
import { marketsAdminOfLog } from '../../../../ops/ground/markets-admin.ts'
import { peersAdminOfLog, peersAdminOfRunning } from '../../../../ops/ground/peers-admin.ts'
import { createCodec } from '../../../../schemas/codec.ts'
import { memoryRegistry } from '../../../../schemas/registry.ts'
import { configOf } from '../../../../streams/kafka-topic.ts'
import { sequencerTopics } from '../../../../topology/topics.ts'
import { newFolder } from '../../../folder.ts'
import { rulesOf } from '../../../topology/world.ts'

const partitions = { submissions: 1, validated: 1, admitted: 1, finalizations: 1, verdicts: 1 }
const topics = sequencerTopics(await createCodec(memoryRegistry()), { prefix: '', partitions })
const PEER = '12D3KooWGC6CgBmf8YVGvXHHKEi3wE3hjCuQvGrYUwKnFLhpBQTb'
const HOUR_MS = 3_600_000
const directory = newFolder()

test('default: the newest of a subject counts; what is over or lifted is gone; a log without the topics has none', async () => {
  const log = createMemoryLog()
  const admin = peersAdminOfLog({ log, topics })
  expect(await admin.status()).toEqual({ bans: [], intakes: [] })
  await admin.change({ subject: PEER, banned: true, until: 0, reason: 'spam' })
  await admin.change({ subject: '10.0.0.0/8', banned: true, until: Date.now() + HOUR_MS, reason: '' })
  await admin.change({ subject: '10.1.1.1', banned: true, until: Date.now() - 1, reason: 'over' })
  await admin.change({ subject: '10.1.1.2', banned: true, until: 0, reason: '' })
  await admin.change({ subject: '10.1.1.2', banned: false, until: 0, reason: '' })
  const { bans } = await admin.status()
  expect(bans.map(({ subject }) => subject)).toEqual(['10.0.0.0/8', PEER])
  expect(textOf(renderPeers({ bans, intakes: [] }))).toContain(`  ${PEER} for good (spam)\n`)
})

test('behavior: the socket of a running process answers as the log does', async () => {
  const log = createMemoryLog()
  const [admin, markets] = [
    peersAdminOfLog({ log, topics }),
    marketsAdminOfLog({ log, topics, rules: rulesOf(), appId: 'app' }),
  ]
  expect(await peersAdminOfRunning(adminSocketPath(directory))).toBeUndefined()
  const server = await startAdminSocket(directory, markets, admin)
  const through = (await peersAdminOfRunning(adminSocketPath(directory)))!
  await through.change({ subject: PEER, banned: true, until: 0, reason: 'a' })
  expect(await through.status()).toEqual(await admin.status())
  await expect(through.change({ subject: 'nobody', banned: true, until: 0, reason: '' })).rejects.toThrow(/500|nobody/)
  await server.close()
})

test('behavior: the newest report of each intake is shown; one that is old, or whose words are hostile, does no harm', async () => {
  const log = createMemoryLog()
  const { intakeReports } = topics
  await log.createTopics([configOf(intakeReports)])
  const talker = {
    peerId: `${PEER}\u001b[2J`,
    host: '10.0.0.1',
    messages: 900,
    refused: 700,
    badSignatures: 600,
    votes: 90,
    bannedUntil: 0,
  }
  const report = { at: Date.now(), connections: 3, behind: 12, talkers: [talker], bans: [] }
  const old = { ...report, at: Date.now() - HOUR_MS }
  const appender = await log.appender()
  const rows = [['a', old] as const, ['a', report] as const, ['b', old] as const]
  await appender.append(
    rows.map(([instanceId, value]) => ({
      topic: intakeReports.name,
      partition: 0,
      timestamp: 1,
      key: intakeReports.key.encode({ instanceId }),
      value: intakeReports.value.encode(value),
    })),
  )
  const { intakes } = await peersAdminOfLog({ log, topics }).status()
  expect(intakes.map(({ instanceId }) => instanceId)).toEqual(['a'])
  const text = textOf(renderPeers({ bans: [], intakes }))
  expect(text).toContain('Intake a: 3 connections, validate 12 records behind')
  expect(text).toMatch(/ 900 +700 +600 +90 {2}12D3.* banned for good/)
  expect(text).not.toContain('\u001b')
})

test.each([
  [PEER, PEER],
  [' 10.0.0.1 ', '10.0.0.1'],
  ['::ffff:10.0.0.1', '10.0.0.1'],
  ['10.0.0.0/08', '10.0.0.0/8'],
  ['2001:DB8::/32', '2001:db8::/32'],
  ['10.0.0.0/33', undefined],
  ['10.0.0.0/8/8', undefined],
  ['300.0.0.1', undefined],
  ['somebody', undefined],
  ['', undefined],
])('args: %j is the subject %j', (text, subject) => expect(readSubject(text)).toBe(subject))
