/** The newest record of a compacted topic with one partition and one key, in which something of a deployment is kept. */
import type { Log } from '../../../streams/ports.ts'
import { readPieces } from '../../../streams/read-range.ts'
import { exists } from '../../reading/market-rows.ts'

const PIECE_BYTES = 1024 * 1024

/**
 * Records that others wrote there are left out.
 * @param parse undefined for a value that is none of ours
 * @returns undefined when there is no topic, or no record of ours in it
 * @throws LogError when the log gets no further before the end
 */
export async function readNewest<T>(
  log: Log,
  topic: string,
  ownKey: Buffer,
  parse: (value: Uint8Array) => T | undefined,
): Promise<T | undefined> {
  const at = { topic, partition: 0 }
  if (!(await exists(log, topic))) return undefined
  const [bounds] = await log.bounds([at])
  let newest: T | undefined
  const options = { pieceBytes: PIECE_BYTES, passesDeleted: true }
  for await (const records of readPieces({ log }, { ...at, offset: bounds!.start }, bounds!.stable, options))
    for (const { key, value } of records)
      if (key !== null && value !== null && ownKey.equals(key)) newest = parse(value) ?? newest
  return newest
}
