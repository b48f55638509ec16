/** Addresses of nodes, stores and collectors, without what may let in: providers put access keys into login, path and query. */

/** A shorter part of a path is a name, of a chain for instance. */
export const KEY_LENGTH_MIN = 16
const URL_IN_TEXT = /[a-z][a-z0-9+.-]*:\/\/[^\s"'<>()[\]{},]+/gi

/** A text, e.g. the message of a library, in which every address is without its keys. */
export const withoutKeys = (text: string): string => text.replace(URL_IN_TEXT, shownUrl)

/** One address without its keys; host and port stay, since an operator needs them. */
export function shownUrl(text: string): string {
  const parts = /^([^:]+:\/\/)([^/?#]*)([^?#]*)(\?.*|#.*)?$/s.exec(text)
  if (!parts) return text
  const [, scheme, authority, path, rest] = parts as unknown as [string, string, string, string, string | undefined]
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const login = host === authority ? '' : '…@'
  const shown = path.split('/').map((part) => (part.length >= KEY_LENGTH_MIN ? '…' : part))
  return `${scheme}${login}${host}${shown.join('/')}${rest === undefined ? '' : `${rest[0]}…`}`
}
