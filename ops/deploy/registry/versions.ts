import avro from 'avsc'
import type { ConfluentRegistry, SubjectVersion } from '../../../connectors/schema-registry/confluent.ts'
import { CliError, EXIT } from '../../base/cli-error.ts'
import { printable } from '../../base/printable.ts'
import { shownUrl } from '../../base/shown-url.ts'

/** The versions of a subject, each a whole schema. Throws CliError on one that is none: with it nothing can be compared. */
export async function versionsOf(registry: ConfluentRegistry, subject: string): Promise<readonly SubjectVersion[]> {
  const versions = await registry.versions(subject)
  for (const { version, schema } of versions) {
    try {
      avro.Type.forSchema(schema as avro.Schema)
    } catch (error) {
      throw new CliError(
        `version ${version} of ${subject} at ${shownUrl(registry.url)} is no Avro schema: ${printable((error as Error).message)}`,
        'Remove the version from the registry, or give another --prefix.',
        EXIT.unavailable,
        error,
      )
    }
  }
  return versions
}
