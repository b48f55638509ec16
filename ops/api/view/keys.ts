/**
 * Keys of the view: parts of any text with a NUL between them, numbers of fixed width, so that LevelDB's order is that of the
 * parts. Foreign text may hold the separator, so it is escaped: no two lists of parts have one key, and none begins another.
 */
const SEPARATOR = '\u0000'
const ESCAPE = '\u0001'
/** Behind an escape: which character it stands for, or, with four hex digits, which half of one. */
const [FOR_SEPARATOR, FOR_ESCAPE, FOR_HALF] = ['\u0002', '\u0003', '\u0004'] as const
/** Mode `u` finds unpaired halves of characters only; UTF-8 would make all of them the same. */
const ESCAPED = new RegExp(`[${SEPARATOR}${ESCAPE}\\ud800-\\udfff]`, 'gu')
const UNESCAPED = new RegExp(`${ESCAPE}(?:([${FOR_SEPARATOR}${FOR_ESCAPE}])|${FOR_HALF}([0-9a-f]{4}))`, 'g')
/** As many digits as 2^53 has. */
const DIGITS = 16

export const number = (value: number): string => String(value).padStart(DIGITS, '0')

const escaped = (part: string): string => part.replace(ESCAPED, escapeOf)
/** Above the separator and below every other character, so the order of texts stays. */
const escapeOf = (unit: string): string =>
  ESCAPE + (unit === SEPARATOR ? FOR_SEPARATOR : unit === ESCAPE ? FOR_ESCAPE : `${FOR_HALF}${hexOf(unit)}`)
const hexOf = (unit: string): string => unit.charCodeAt(0).toString(16)
const unescaped = (part: string): string =>
  part.replace(UNESCAPED, (_, one: string | undefined, hex: string) =>
    one === undefined ? String.fromCharCode(Number.parseInt(hex, 16)) : one === FOR_SEPARATOR ? SEPARATOR : ESCAPE,
  )

export const keyOf = (...parts: readonly string[]): string => parts.map(escaped).join(SEPARATOR)
/** Begins every key that has these parts before others, and no other key. */
export const prefixOf = (...parts: readonly string[]): string => keyOf(...parts) + SEPARATOR
/** Behind every key that begins with the prefix. */
export const endOf = (prefix: string): string => `${prefix.slice(0, -SEPARATOR.length)}${ESCAPE}`
/** The parts of the key. */
export const partsOf = (key: string): readonly string[] => key.split(SEPARATOR).map(unescaped)
