import type { LogRecord } from '../../../streams/ports.ts'
import type { Lines } from '../../base/output.ts'
import { printable } from '../../base/printable.ts'
import { INTAKE, type Letter, type LetterCount, letterOf, type Newest } from './letters.ts'

/** Bytes shown of a key or value. */
const BYTES_SHOWN = 256

const placeOf = ({ from, peer }: Letter): string =>
  from
    ? `${printable(from.topic)}/${from.partition} offset ${from.offset}`
    : `${INTAKE}, peer ${printable(peer ?? 'unknown')}`

/** @param unread why that is not all */
export function renderLetters({ items, older }: Newest, unread?: string): Lines {
  if (items.length === 0) return [noneMatch(unread)]
  return [...items.map(letterLine), ...(older > 0 ? [`… and ${older} older ones: --limit, --since or --until`] : [])]
}

const noneMatch = (unread: string | undefined): string =>
  unread === undefined ? 'No dead letters match.' : 'No dead letters match among what can be read.'

function letterLine(letter: Letter): string {
  const size = letter.isWhole ? `${letter.sizeBytes} bytes` : `the beginning of ${letter.sizeBytes} bytes`
  return `${letter.offset}  ${letter.at}  ${printable(letter.reason)}  ${placeOf(letter)}  ${size}  ${printable(letter.message)}`
}

/** @param unread why that is not all */
export const renderCounts = (counts: readonly LetterCount[], unread?: string): Lines =>
  counts.length === 0
    ? [noneMatch(unread)]
    : counts.map(
        ({ topic, reason, letters, oldest, newest }) =>
          `${String(letters).padStart(8)}  ${printable(topic)}  ${printable(reason)}  ${oldest} to ${newest}`,
      )

export function renderLetter(record: LogRecord): Lines {
  const { key, value, headers } = record
  return [
    letterLine(letterOf(record)),
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
