export type SchemaRegistryErrorCode =
  /** The registry's file is there and is no registry, or not the one that was written; and so its copy. */
  | 'REGISTRY_CORRUPT'
  /** The registry's file and its copy are gone, though records were written. */
  | 'REGISTRY_MISSING'
  /** The registry's file cannot be read or written. */
  | 'IO_ERROR'
  /** No answer in time, a cut connection, or the server's own fault. */
  | 'REGISTRY_UNREACHABLE'
  /** The server that answers does not speak the interface of a schema registry. */
  | 'NOT_A_REGISTRY'
  | 'REGISTRY_RIGHTS'
  /** The registry has no schema of this id, yet: who wrote the record registered it somewhere else, or it is still on its way. */
  | 'UNKNOWN_SCHEMA'
  /** The registry does not take the schema: it breaks a reader, or the subject is read-only. */
  | 'SCHEMA_REFUSED'
  /** The schema that the registry gives back is not the one that was put in. */
  | 'REGISTRY_MISMATCH'

const RETRIABLE: readonly SchemaRegistryErrorCode[] = ['IO_ERROR', 'REGISTRY_UNREACHABLE', 'UNKNOWN_SCHEMA']

/** A failure of a schema registry. `retriable`: the same call may succeed later. */
export class SchemaRegistryError extends Error {
  readonly code: SchemaRegistryErrorCode
  readonly retriable: boolean
  constructor(code: SchemaRegistryErrorCode, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'SchemaRegistryError'
    this.code = code
    this.retriable = RETRIABLE.includes(code)
  }
}
