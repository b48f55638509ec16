import type { LogRecord } from '../../../streams/ports.ts'
import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { INTAKE, type Letter, type LetterCount, letterOf } from './letters.ts'

/** Bytes shown of a key or value. */
const BYTES_SHOWN = 256

const placeOf = ({ from, peer }: Letter): string =>
  from
    ? `${printable(from.topic)}/${from.partition} offset ${from.offset}`
    : `${INTAKE}, peer ${printable(peer ?? 'unknown')}`

export function renderLetters(letters: readonly Letter[]): Lines {
  if (letters.length === 0) return ['No dead letters match.']
  return letters.map((letter) => {
    const size = letter.isWhole ? `${letter.sizeBytes} bytes` : `the beginning of ${letter.sizeBytes} bytes`
    return `${letter.offset}  ${letter.at}  ${printable(letter.reason)}  ${placeOf(letter)}  ${size}  ${printable(letter.message)}`
  })
}

export const renderCounts = (counts: readonly LetterCount[]): Lines =>
  counts.length === 0
    ? ['No dead letters match.']
    : counts.map(
        ({ topic, reason, letters, oldest, newest }) =>
          `${String(letters).padStart(8)}  ${printable(topic)}  ${printable(reason)}  ${oldest} to ${newest}`,
      )

export function renderLetter(record: LogRecord): Lines {
  const { key, value, headers } = record
  return [
    ...renderLetters([letterOf(record)]),
    ...headers.map((header) => `  header ${printable(header.key)}: ${printable(Buffer.from(header.value).toString())}`),
    `  key    ${bytesText(key)}`,
    `  value  ${bytesText(value)}`,
  ]
}

function bytesText(bytes: Uint8Array | null): string {
  if (bytes === null) return 'null'
  const shown = Buffer.from(bytes.subarray(0, BYTES_SHOWN))
  return `${bytes.length} bytes${bytes.length === 0 ? '' : `: ${shown.toString('hex')}${bytes.length > BYTES_SHOWN ? '…' : ''}`}`
}

/** For programs: bytes as base64. */
export const letterJson = (record: LogRecord): object => ({
  ...letterOf(record),
  headers: record.headers.map(({ key, value }) => ({ key, value: Buffer.from(value).toString() })),
  key: record.key && Buffer.from(record.key).toString('base64'),
  value: record.value && Buffer.from(record.value).toString('base64'),
})
