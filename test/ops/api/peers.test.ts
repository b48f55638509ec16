/** Who sends most, as the API tells it to anybody: no addresses, no names of processes, and no more than so many. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type PeersAnswer, peers } from '../../../ops/api/peers-schema.ts'
import { PEERS_MAX } from '../../../ops/api/queries/peers.ts'
import type { IntakeReport, PeerTraffic } from '../../../schemas/types.ts'
import { createStory, type RunningApi, type Story, startApi } from './story.ts'

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz'
const peerOf = (n: number): string =>
  `12D3KooW${ALPHABET[n % 58]!.repeat(22)}${ALPHABET[Math.floor(n / 58)]!.repeat(22)}`
const HOUR_MS = 3_600_000

let story: Story
let api: RunningApi
beforeEach(async () => {
  story = await createStory()
  api = await startApi(story.fixture)
})
afterEach(() => api.close())

const talkerOf = (n: number, fields: Partial<PeerTraffic> = {}): PeerTraffic => ({
  peerId: peerOf(n),
  host: `203.0.113.${n}`,
  messages: 100,
  refused: 0,
  badSignatures: 0,
  votes: 100,
  bannedUntil: null,
  ...fields,
})

async function report(instanceId: string, talkers: PeerTraffic[], fields: Partial<IntakeReport> = {}): Promise<void> {
  const { topics, put } = story.fixture
  const bans = talkers.map(({ host: subject }) => ({
    subject,
    until: Date.now() + HOUR_MS,
    reason: '7 bad signatures',
  }))
  const value = { at: Date.now(), connections: 3, behind: 0, talkers, bans, ...fields }
  await put(topics.intakeReports, { instanceId }, value)
}
const ask = async (): Promise<PeersAnswer> => peers.strict().parse((await api.get('/v1/peers')).json())
const reported = (intakes: number) => expect.poll(async () => (await ask()).intakes, { timeout: 20_000 }).toBe(intakes)

test('default: no intake has said anything', async () => {
  expect(await ask()).toEqual({ intakes: 0, connections: 0, items: [], next: null })
})

test('behavior: what several intakes say of a peer is added, and the longest ban counts', async () => {
  const until = Date.now() + HOUR_MS
  const loud = { messages: 900, refused: 700, badSignatures: 600, votes: 0 }
  await report('old', [talkerOf(9)], { at: Date.now() - HOUR_MS })
  await report('a', [talkerOf(1)])
  await report('a', [
    talkerOf(1, { ...loud, bannedUntil: until }),
    talkerOf(2),
    talkerOf(3, { bannedUntil: until - 2 * HOUR_MS }),
  ])
  await report('b', [
    talkerOf(4, { refused: 5, bannedUntil: until }),
    talkerOf(1, { ...loud, bannedUntil: until - 1 }),
    talkerOf(2),
  ])
  await report('c', [talkerOf(4, { bannedUntil: 0 })])
  await reported(3)
  const { items, connections } = await ask()
  expect(connections).toBe(9)
  expect(items.map(({ peerId, messages, bannedUntil }) => [peerId, messages, bannedUntil])).toEqual([
    [peerOf(1), 1_800, until],
    [peerOf(4), 200, 0],
    [peerOf(2), 200, null],
    [peerOf(3), 100, null],
  ])
  expect(items[0]).toEqual({
    peerId: peerOf(1),
    messages: 1_800,
    refused: 1_400,
    badSignatures: 1_200,
    votes: 0,
    bannedUntil: until,
  })
})

test('behavior: neither addresses nor names of processes are told, nor what is no peer id', async () => {
  const foreign = ['203.0.113.9', '2001:db8::7', `${peerOf(1)}\u001b[2J`, '<b>peer</b>', '']
  await report('host-17.internal', [talkerOf(1), ...foreign.map((peerId) => talkerOf(2, { peerId }))])
  await reported(1)
  const { body } = await api.get('/v1/peers')
  expect(body).toContain(peerOf(1))
  expect(body).not.toMatch(/203\.0\.113|2001:db8|internal|<b>|2J|bad signatures/)
  expect((await ask()).items).toHaveLength(1)
})

test('behavior: no more than so many peers, the same whatever the order of the reports', async () => {
  const all = Array.from({ length: 60 }, (_, n) => talkerOf(n, { refused: n % 7 }))
  for (const [at, part] of [all.slice(0, 20), all.slice(20, 40), all.slice(40)].entries()) await report(`i${at}`, part)
  await reported(3)
  const { items } = await ask()
  expect(items).toHaveLength(PEERS_MAX)
  const others = await createStory()
  const other = await startApi(others.fixture)
  const { topics, put } = others.fixture
  for (const [at, part] of [all.slice(40), all.slice(20, 40), all.slice(0, 20)].entries())
    await put(
      topics.intakeReports,
      { instanceId: `i${at}` },
      { at: Date.now(), connections: 1, behind: null, talkers: part.reverse(), bans: [] },
    )
  await expect.poll(async () => (await other.get('/v1/peers')).json().items, { timeout: 20_000 }).toEqual(items)
  await other.close()
})
