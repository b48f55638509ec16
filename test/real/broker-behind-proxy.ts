/** A broker of a test file's own, with a proxy before it that loses, holds and cuts what it is told to. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type Kafka, startKafka } from '../../ops/world/brokers/start.ts'
import { KafkaProxy } from './kafka-proxy.ts'

/** Started before the tests of the file that calls this, and stopped after them. */
export function useBrokerBehindProxy(): { readonly kafka: () => Kafka; readonly proxy: () => KafkaProxy } {
  let directory: string
  let kafka: Kafka | undefined
  let proxy: KafkaProxy | undefined
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kafka-proxied-'))
    const advertised = async (_nodeId: number, port: number): Promise<number> => {
      await proxy?.close() // of an attempt whose port was taken
      proxy = await KafkaProxy.start(port)
      return proxy.port
    }
    kafka = await startKafka({ brokers: 1, directory, advertised })
  })
  afterAll(async () => {
    await proxy?.close()
    await kafka?.close()
    await rm(directory, { recursive: true, force: true })
  })
  return { kafka: () => kafka!, proxy: () => proxy! }
}
