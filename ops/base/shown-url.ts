/** Addresses of nodes, stores and collectors, without what may let in: providers put access keys into login, path and query. */

import { printable } from './printable.ts'

/** A shorter part of a path is a name, of a chain for instance. */
const KEY_LENGTH_MIN = 16
/** A shorter login, query or fragment could be any word. */
const SECRET_LENGTH_MIN = 4
/** Up to white space, a quotation mark, or where another address begins; closing signs behind it are of the sentence. */
const URL_IN_TEXT = /[a-z][a-z0-9+.-]*:\/\/(?:(?![a-z][a-z0-9+.-]*:\/\/)[^\s"'`])+/gi
const CLOSING = /[)\]}>.,;:]+$/

/** The addresses that this process was given, as they may turn up in a text, each with what is shown for it. */
const known = new Map<string, string>()
/** `known`, addresses that contain others first. */
let inOrder: readonly (readonly [string, string])[] = []

/** From now on `withoutKeys` finds this address and its keys wherever they stand, whatever signs they are made of. */
export function rememberUrl(url: string): void {
  if (!URL.canParse(url)) return
  const { href } = new URL(url)
  const before = known.size
  for (const whole of [url, href].flatMap((one) => [one, one.replace(/(:\/\/)[^/?#]*@/, '$1')]))
    for (const form of formsOf(whole)) known.set(form, shownUrl(whole))
  for (const key of keysIn(url)) for (const form of formsOf(key)) known.set(form, '…')
  if (known.size > before) inOrder = [...known].sort(([one], [other]) => other.length - one.length)
}

/** Where providers put access keys: login, long parts of the path, query, fragment; each as given and as a client sends it. */
export function keysIn(url: string): readonly string[] {
  if (!URL.canParse(url)) return []
  const { href, username, password, searchParams } = new URL(url)
  const spellings = [url, href].flatMap((one) => {
    const [, , authority = '', path = '', rest = ''] = PARTS.exec(one) ?? []
    const login = authority.slice(0, Math.max(0, authority.lastIndexOf('@')))
    return [login, login.slice(login.indexOf(':') + 1), rest.slice(1), ...path.split('/').filter(isKey)]
  })
  const parsed = [
    password,
    ...(password === '' || isKey(username) ? [username] : []),
    ...[...searchParams.values()].filter(isKey),
  ]
  return [...new Set([...spellings, ...parsed].flatMap((key) => [key, decoded(key)]))].filter(
    (key) => key.length >= SECRET_LENGTH_MIN,
  )
}

const isKey = (part: string): boolean => part.length >= KEY_LENGTH_MIN

/** As it is, as JSON and a URL have it, and as it is shown. */
const formsOf = (text: string): readonly string[] => [
  text,
  JSON.stringify(text).slice(1, -1),
  encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd')),
  printable(text, Number.POSITIVE_INFINITY),
]

/** Without percent-encoding; as it is when it is none. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A text, e.g. the message of a library, in which every address is without its keys. */
export function withoutKeys(text: string): string {
  const rest = inOrder.reduce((left, [form, shown]) => left.replaceAll(form, () => shown), text)
  return rest.replace(URL_IN_TEXT, (found) => {
    const end = CLOSING.exec(found)?.[0] ?? ''
    return `${shownUrl(found.slice(0, found.length - end.length))}${end}`
  })
}

const PARTS = /^([^:]+:\/\/)([^/?#]*)([^?#]*)(\?.*|#.*)?$/s

/** An address without its keys; host and port stay, since an operator needs them. */
export function shownUrl(text: string): string {
  const parts = PARTS.exec(text)
  if (!parts) return URL.canParse(text) && PARTS.test(new URL(text).href) ? shownUrl(new URL(text).href) : text
  const [, scheme = '', authority = '', path = '', rest] = parts
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  const login = host === authority ? '' : '…@'
  const shown = path.split('/').map((part) => (part.length >= KEY_LENGTH_MIN ? '…' : part))
  return `${scheme}${login}${host}${shown.join('/')}${rest === undefined ? '' : `${rest[0]}…`}`
}
