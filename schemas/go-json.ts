/** JSON strings as Go's encoding/json writes them: <, >, &, U+2028 and U+2029 are escaped beside what JSON escapes. */

export const quote = (text: string): string => (isPlain(text) ? `"${text}"` : escapeHtml(JSON.stringify(text)))

/** With commas between. */
export const quoteAll = (texts: readonly string[]): string => texts.map(quote).join()

/** True when neither encoding changes the text: printable ASCII without quotation mark, backslash, <, > and &. */
export const isPlain = (text: string): boolean => PLAIN.test(text)
const PLAIN = /^[ !#-%'-;=?-[\]-~]*$/

const escapeHtml = (json: string): string =>
  json.replace(/[<>&\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
