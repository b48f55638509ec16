/**
 * Shows text that came from outside (ids, CIDs, names, evidence, messages of nodes) without being ruled by it: a terminal
 * obeys control characters, and bidirectional or invisible ones make a reader see another text than is there (CWE-150,
 * Unicode technical report 36). Pure, and for the browser too.
 */

/** Most characters that are shown of a foreign text; ids and CIDs as snapshotters send them have at most some 110. */
export const SHOWN_MAX = 200

/**
 * Characters that are obeyed and not seen: control and format characters (C0, DEL, C1, bidirectional, zero-width), lone
 * surrogates, code points without a meaning, every separator but the plain space, marks that are drawn over their neighbours,
 * fillers that are drawn as nothing, and letters written from right to left, which reorder the characters beside them.
 */
const OBEYED =
  /(?! )[\p{C}\p{Z}\p{M}\p{Default_Ignorable_Code_Point}\u2800\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/gu
/** And what makes a shown text ambiguous: the sign of an escape, that of a cut, spaces that a reader cannot count. */
const FOREIGN = new RegExp(`${OBEYED.source}|[\\\\…]| {2,}|^ | $`, 'gu')

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' }
const escaped = (found: string): string => NAMED[found] ?? [...found].map(codeOf).join('')
const codeOf = (character: string): string => `\\u{${character.codePointAt(0)!.toString(16)}}`
/** A character of a shown text, or an escape. */
const SHOWN = /\\u\{[0-9a-f]+\}|\\.|[^\\]/gu

/**
 * A foreign text as a part of a line. Two texts are shown alike only when both were cut.
 * @param max characters shown; of a longer text the beginning, and its length in bytes of UTF-8
 */
export function printable(text: string, max = SHOWN_MAX): string {
  const head = text.slice(0, max + 1)
  const shown = head.replace(FOREIGN, escaped)
  if (head === text && shown.length <= max) return shown
  let begin = ''
  for (const [next] of shown.matchAll(SHOWN)) {
    if (begin.length + next.length > max) break
    begin += next
  }
  return `${begin}… (${new TextEncoder().encode(text).length} bytes)`
}

/** A whole line, of which parts may be foreign: nothing of it is obeyed. Leaves as it is what `printable` gave. */
export const printableLine = (line: string): string => line.replace(OBEYED, escaped)

/** JSON text that means the same, in which nothing is obeyed but line feeds between tokens. */
export const printableJson = (json: string): string =>
  UNUSUAL.test(json) ? json.replace(OBEYED, (character) => (character === '\n' ? character : unitsOf(character))) : json

/** Answers of the query API are long, and nearly all of them plain. */
const UNUSUAL = /[^\n -~]/

const unitsOf = (character: string): string =>
  Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
    .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
    .join('')
