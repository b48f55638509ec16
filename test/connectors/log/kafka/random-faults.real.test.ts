import { expect, test } from 'vitest'
import { openKafkaLog } from '../../../../connectors/log/kafka/kafka-log.ts'
import { SeededRandom } from '../../../../connectors/log/simulated/seeded-random.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import { type Log, LogError } from '../../../../streams/ports.ts'
import { createTopic, fresh, readAll, records, text } from '../../../contract/log-kit.ts'
import { useBrokerBehindProxy } from '../../../real/broker-behind-proxy.ts'
import { Api, type FaultKind } from '../../../real/kafka-proxy.ts'

/** Writers that behave as the engine does, while whatever they send is lost, cut or held at random. */
const TIME_MS = 20_000
const FAULT_EVERY_MS = 60
const HELD_MS_MOST = 1_500
/** Faults that have not happened yet; more of them, and hardly a request would get through. */
const WAITING_MOST = 4
const REQUEST_TIMEOUT_MS = 400
const WRITERS = 3
const KINDS: readonly FaultKind[] = ['lose answer', 'cut before', 'cut after', 'hold']
/** The end most of all: it is what leaves an outcome unknown. */
const APIS = [...Object.values(Api), Api.END_TXN, Api.END_TXN]

const { kafka, proxy } = useBrokerBehindProxy()

test.each([1, 2] as const)(
  'behavior: each burst is there once, transactions version %i',
  async (transactionsVersion) => {
    const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9))
    console.log(`[kafka] SEED=${seed} chooses the faults`)
    const log = await openKafkaLog({
      brokers: kafka().bootstrap,
      clientId: 'random faults',
      clock: systemClock,
      transactionsVersion,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
    })
    const topic = await createTopic(log, WRITERS)
    const random = new SeededRandom(seed)
    const disturbing = setInterval(() => disturb(random), FAULT_EVERY_MS)
    const end = Date.now() + TIME_MS
    const writing = Array.from({ length: WRITERS }, (_, own) => writeUntil(log, topic, own, end))
    const written = await Promise.all(writing).finally(() => clearInterval(disturbing))
    proxy().heal()
    await systemClock.sleep(HELD_MS_MOST) // whatever comes late has come
    expect(Math.min(...written.map(({ bursts }) => bursts))).toBeGreaterThan(0)
    for (const { id } of written) await patiently(() => log.transactionalWriter(id)) // settles the last
    for (let partition = 0; partition < WRITERS; partition++) {
      const found = (await patiently(() => readAll(log, { topic, partition }))).map(({ value }) => text(value)!)
      for (const own of [partition, (partition + WRITERS - 1) % WRITERS]) {
        const expected = Array.from({ length: written[own]!.bursts }, (_, at) => `${own}: ${at + 1}`)
        expect(found.filter((value) => value.startsWith(`${own}:`))).toEqual(expected)
      }
    }
    await log.close()
  },
)

function disturb(random: SeededRandom): void {
  if (proxy().waiting >= WAITING_MOST) return
  const kind = KINDS[random.below(KINDS.length)]!
  const fault = proxy().next(APIS[random.below(APIS.length)]!, kind)
  const heldMs = random.below(HELD_MS_MOST)
  if (kind === 'hold') void fault.happened.then(() => setTimeout(() => void fault.release(), heldMs))
}

/** Bursts of two partitions and an offset, each until it is there. @returns how many */
async function writeUntil(log: Log, topic: string, own: number, end: number): Promise<{ id: string; bursts: number }> {
  const id = fresh('writer')
  const group = fresh('group')
  const at = { topic, partition: own }
  let writer = await patiently(() => log.transactionalWriter(id))
  let next = 1
  while (Date.now() < end) {
    const burst = [own, (own + 1) % WRITERS].flatMap((partition) => records(topic, partition, `${own}: ${next}`))
    const offsets = { group, commits: [{ ...at, next, metadata: '' }] }
    const outcome = await writer.commit({ records: burst, offsets })
    if (outcome.outcome === 'committed') next++
    else if (outcome.outcome === 'aborted') expect(outcome.cause).toMatchObject({ retriable: true })
    else {
      writer = await patiently(() => log.transactionalWriter(id))
      const [found] = await patiently(() => log.committedOffsets(group, [at]))
      expect([next - 1, next]).toContain(found?.next ?? 0)
      if (found?.next === next) next++
    }
  }
  return { id, bursts: next - 1 }
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable) throw error
    }
  }
}
