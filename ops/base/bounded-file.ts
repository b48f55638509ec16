import { createReadStream } from 'node:fs'
import { CliError, EXIT } from './cli-error.ts'
import { printable } from './printable.ts'

/** The bytes of a file that somebody else made, also of a pipe or a device, which has no size. Throws CliError above `bytesMax`. */
export async function readBounded(path: string, bytesMax: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let bytes = 0
  try {
    for await (const part of createReadStream(path, { end: bytesMax }) as AsyncIterable<Buffer>) {
      parts.push(part)
      bytes += part.length
    }
  } catch (error) {
    const what = `${printable(path)} cannot be read: ${printable((error as Error).message)}`
    throw new CliError(what, 'Check the path and its permissions.', EXIT.usage, error)
  }
  if (bytes <= bytesMax) return Buffer.concat(parts)
  const what = `${printable(path)} has more than ${bytesMax} bytes`
  throw new CliError(what, 'Such a file is far smaller. Check the path.')
}
