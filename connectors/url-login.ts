/** The parts that `fetch` does not do by itself: a login in a URL, and why it failed. */

/** `fetch` takes no login in a URL. */
export function loginOf(url: string): { readonly address: string; readonly authorization: string | undefined } {
  const parts = new URL(url)
  const { username, password } = parts
  if (username === '' && password === '') return { address: url, authorization: undefined }
  parts.username = ''
  parts.password = ''
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')
  return { address: parts.href, authorization: `Basic ${login}` }
}

/** `fetch` hides why it failed one level deeper. */
export function fetchWords(error: unknown): string {
  const { message, cause } = error as { message?: string; cause?: { message?: string; code?: string } }
  const words = cause?.message || cause?.code || message || String(error)
  return ADVICE[words] ?? words
}

/** For what `fetch` refuses by itself. */
const ADVICE: Readonly<Record<string, string>> = {
  'bad port':
    'HTTP clients refuse this port (the list of bad ports in the Fetch standard); have the node listen at another',
  'unexpected redirect': 'the node redirects to another address; give that one if it is right',
}
