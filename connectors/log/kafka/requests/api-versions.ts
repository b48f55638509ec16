import type { ByteReader } from '../byte-reader.ts'
import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'

export interface BrokerVersions {
  /** API key → the highest version the broker understands. */
  readonly newest: ReadonlyMap<number, number>
  /** Feature → the level that the whole cluster has switched on. */
  readonly features: ReadonlyMap<string, number>
}

const FINALIZED_FEATURES_TAG = 2

/** The versions that a broker understands, and the features that its cluster has switched on. */
export function apiVersions(): KafkaRequest<BrokerVersions> {
  return {
    apiKey: 18,
    apiName: 'ApiVersions',
    apiVersion: 3,
    flexible: true,
    encode(writer) {
      writer.string('powerloom-snapshot-sequencer')
      writer.string('0')
      writer.endStructure()
    },
    decode(reader) {
      expectNoError(reader.int16(), 'ApiVersions')
      const newest = new Map<number, number>()
      reader.structures(() => {
        const apiKey = reader.int16()
        reader.int16() // the oldest
        newest.set(apiKey, reader.int16())
      })
      reader.throttle()
      const features = new Map<string, number>()
      reader.endStructure((tag, value) => {
        if (tag === FINALIZED_FEATURES_TAG) value.structures(() => readFeature(value, features))
      })
      return { newest, features }
    },
  }
}

function readFeature(reader: ByteReader, features: Map<string, number>): void {
  const name = reader.string()
  features.set(name, reader.int16())
  reader.int16() // the lowest level in use
}
