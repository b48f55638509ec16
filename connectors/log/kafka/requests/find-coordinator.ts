import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import type { NodeAddress } from './metadata.ts'

export type CoordinatorType = 'group' | 'transaction'

/** The coordinator of a group, or of a transactional id. */
export function findCoordinator(type: CoordinatorType, key: string): KafkaRequest<NodeAddress> {
  return {
    apiKey: 10,
    apiName: 'FindCoordinator',
    apiVersion: 3,
    flexible: true,
    encode(writer) {
      writer.string(key)
      writer.int8(type === 'group' ? 0 : 1)
      writer.endStructure()
    },
    decode(reader) {
      reader.throttle()
      const errorCode = reader.int16()
      const message = reader.nullableString()
      const node = { nodeId: reader.int32(), host: reader.string(), port: reader.int32() }
      reader.endStructure()
      expectNoError(errorCode, `coordinator of ${type} ${key}`, message === 'NONE' ? null : message)
      return node
    },
  }
}
