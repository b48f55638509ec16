import { SchemaRegistry as Client } from '@kafkajs/confluent-schema-registry'
import type avro from 'avsc'
import type { AvroSchema } from '../../schemas/load.ts'
import { NotAvroError } from '../../schemas/registry.ts'
import { within } from '../../streams/within.ts'
import { systemClock } from '../system-clock.ts'
import { SchemaRegistryError } from './errors.ts'
import type { RegistryHttp } from './http.ts'

/**
 * The schema of an id, self-contained, each asked for once. The client is replaced after a failure: a call of its that was
 * cut off in the middle of an answer never settles, and it would give that same call to everyone who asks for the id again.
 */
export function createSchemaReader(http: RegistryHttp): (id: number) => Promise<AvroSchema> {
  const { url, auth, agent, requestTimeoutMs } = http
  const create = (): Client =>
    new Client({
      ...{ host: url, clientId: 'sequencer', retry: { retries: 0 } },
      ...(auth && { auth: { ...auth } }),
      ...(agent && { agent }),
    })
  let client = create()
  const limit = { clock: systemClock, ms: requestTimeoutMs }
  const late = (): never => {
    const message = `the schema registry did not answer within ${requestTimeoutMs / 1000} s`
    throw new SchemaRegistryError('REGISTRY_UNREACHABLE', message)
  }

  const read = async (id: number): Promise<AvroSchema> => {
    const asked = client
    try {
      const found: unknown = await within(asked.getSchema(id), limit, late)
      const type = found as Partial<avro.Type> // the library says any
      if (typeof type.schema !== 'function') throw new NotAvroError(id, 'it is of another kind')
      return JSON.parse(JSON.stringify(type.schema({ exportAttrs: true }))) as AvroSchema
    } catch (error) {
      if (client === asked) client = create()
      throw classify(error, id, url)
    }
  }
  return (id) => http.retried(() => read(id))
}

/** The client's errors carry the status of an answer, 400 when there was none; others are of its parsers. */
function classify(error: unknown, id: number, url: string): Error {
  if (error instanceof SchemaRegistryError || error instanceof NotAvroError) return error
  const { status, message } = error as { status?: number; message?: string }
  if (status === undefined) return new NotAvroError(id, String(message), error)
  const what = `schema id ${id} at ${url}: ${message}`
  if (status === 404) return new SchemaRegistryError('UNKNOWN_SCHEMA', what, error)
  if (status === 401 || status === 403) return new SchemaRegistryError('REGISTRY_RIGHTS', what, error)
  return new SchemaRegistryError('REGISTRY_UNREACHABLE', what, error)
}
