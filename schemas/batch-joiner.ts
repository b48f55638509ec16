/** Puts the records of a batch together again. Batch.avsc says what each of them holds. */
import { batchJson } from './batch-json.ts'
import type { Batch } from './types.ts'

export interface BatchJoiner {
  /**
   * Takes a record of `batches`, in the order of the log; records of several batches may be mixed.
   * @returns the whole batch, in one piece, with its last record; without its bytes where the log has only its texts
   */
  take(dataMarket: string, record: Batch): Batch | undefined
}

export function createBatchJoiner(): BatchJoiner {
  const begun = new Map<string, Batch[]>()
  return {
    take(dataMarket, record) {
      if (record.parts === 1) return wholeOf([record])
      const id = `${dataMarket}/${record.epochId}/${record.batchIndex}`
      const before = record.part === 0 ? [] : begun.get(id)
      if (before?.length !== record.part) return undefined // its beginning is not there
      before.push(record)
      if (before.length < record.parts) begun.set(id, before)
      else begun.delete(id)
      return before.length < record.parts ? undefined : wholeOf(before)
    },
  }
}

function wholeOf(parts: readonly Batch[]): Batch {
  const [first] = parts
  const pieces = parts.map(({ json }) => json)
  const json = pieces.length === 1 ? pieces[0]! : concatenated(pieces)
  const texts = parts.length === 1 ? first!.texts : parts.flatMap((part) => part.texts)
  return { ...first!, json, texts, parts: 1, sizeBytes: json.length || first!.sizeBytes }
}

/** The batch in one piece, with the exact bytes to store, whichever of the two the log has. */
export function withBytes(batch: Batch): Batch {
  if (batch.texts.length === 0) return batch
  const json = batchJson(batch, batch.sizeBytes)
  return { ...batch, json, texts: [], sizeBytes: json.length }
}

function concatenated(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = Buffer.allocUnsafe(pieces.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

/** Size of the whole batch, by its first record. */
export const sizeBytesOf = ({ json, sizeBytes }: Pick<Batch, 'json' | 'sizeBytes'>): number => sizeBytes || json.length
