import type { ByteReader } from '../byte-reader.ts'
import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'

/** The identity of a writer: the broker refuses an older epoch of the same producer. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

export const NO_PRODUCER: ProducerIdentity = { producerId: -1n, producerEpoch: -1 }

/**
 * A producer id with a new epoch. With a transactional id it fences older writers and ends their open transaction.
 * @param current the present identity of this writer: then it is refused if another has come since (KIP-360)
 */
export function initProducerId(
  transactionalId: string | null,
  transactionTimeoutMs: number,
  current: ProducerIdentity = NO_PRODUCER,
): KafkaRequest<ProducerIdentity> {
  return {
    apiKey: 22,
    apiName: 'InitProducerId',
    apiVersion: 4,
    flexible: true,
    encode(writer) {
      writer.nullableString(transactionalId)
      writer.int32(transactionTimeoutMs)
      writer.int64(current.producerId)
      writer.int16(current.producerEpoch)
      writer.endStructure()
    },
    decode(reader) {
      return reader.answer(() => {
        expectNoError(reader.int16(), `producer id for ${transactionalId ?? 'appends'}`)
        return readIdentity(reader)
      })
    },
  }
}

export function readIdentity(reader: ByteReader): ProducerIdentity {
  return { producerId: reader.bigint64(), producerEpoch: reader.int16() }
}
