import { expectNoError } from '../errors.ts'
import type { KafkaRequest } from '../request.ts'
import { type NodeAddress, readNode } from './metadata.ts'

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
      const { errorCode, message, node } = reader.answer(() => ({
        errorCode: reader.int16(),
        message: reader.nullableString(),
        node: readNode(reader),
      }))
      expectNoError(errorCode, `coordinator of ${type} ${key}`, message === 'NONE' ? null : message)
      return node
    },
  }
}
