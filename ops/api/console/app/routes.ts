/** Addresses of the pages: all after `#`, so that a link to any of them works on every server. Pure. */

export type Route =
  | { readonly page: 'overview' }
  | { readonly page: 'epochs' }
  | { readonly page: 'epoch'; readonly epochId: number; readonly reason: string; readonly project: string }
  | { readonly page: 'lookup'; readonly slotId: number | undefined; readonly epochId: number | undefined }
  | { readonly page: 'submission'; readonly submissionId: string }
  | { readonly page: 'batch'; readonly cid: string }
  | { readonly page: 'transactions' }
  | { readonly page: 'cluster' }
  | { readonly page: 'days'; readonly day: number | undefined; readonly slotId: number | undefined }
  | { readonly page: 'unknown' }

export interface Place {
  readonly route: Route
  /** The data market of the link; undefined: whichever is chosen. */
  readonly market: string | undefined
}

export function placeOf(hash: string): Place {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split('?')
  const search = new URLSearchParams(query)
  return {
    route: routeOf(path.split('/').filter(Boolean).map(decode), search),
    market: search.get('market')?.toLowerCase() ?? undefined,
  }
}

function routeOf([first, second]: readonly string[], search: URLSearchParams): Route {
  switch (first) {
    case undefined:
      return { page: 'overview' }
    case 'epochs': {
      if (second === undefined) return { page: 'epochs' }
      const epochId = wholeOf(second)
      const chosen = { reason: search.get('reason') ?? '', project: search.get('project') ?? '' }
      return epochId === undefined ? { page: 'unknown' } : { page: 'epoch', epochId, ...chosen }
    }
    case 'slots':
      return { page: 'lookup', slotId: wholeOf(second), epochId: wholeOf(search.get('epoch') ?? undefined) }
    case 'submissions':
      return second ? { page: 'submission', submissionId: second } : { page: 'unknown' }
    case 'batches':
      return second ? { page: 'batch', cid: second } : { page: 'unknown' }
    case 'transactions':
      return { page: 'transactions' }
    case 'cluster':
      return { page: 'cluster' }
    case 'days': {
      const day = wholeOf(second)
      if (second !== undefined && day === undefined) return { page: 'unknown' }
      return { page: 'days', day, slotId: wholeOf(search.get('slot') ?? undefined) }
    }
    default:
      return { page: 'unknown' }
  }
}

/** `market`: written into the link where there are several. */
export function hashOf(route: Route, market?: string): string {
  const [path, fields] = partsOf(route)
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...fields, market }))
    if (value !== undefined && value !== '') search.set(name, `${value}`)
  return `#/${path}${search.size > 0 ? `?${search}` : ''}`
}

function partsOf(route: Route): [string, Record<string, string | number | undefined>] {
  switch (route.page) {
    case 'epoch':
      return [`epochs/${route.epochId}`, { reason: route.reason, project: route.project }]
    case 'lookup':
      return [`slots${route.slotId === undefined ? '' : `/${route.slotId}`}`, { epoch: route.epochId }]
    case 'days':
      return [`days${route.day === undefined ? '' : `/${route.day}`}`, { slot: route.slotId }]
    case 'submission':
      return [`submissions/${encodeURIComponent(route.submissionId)}`, {}]
    case 'batch':
      return [`batches/${encodeURIComponent(route.cid)}`, {}]
    case 'overview':
    case 'unknown':
      return ['', {}]
    default:
      return [route.page, {}]
  }
}

/**
 * The text that is typed into the look-up: `7` is a slot, `7 in 12` or `7/12` that slot in epoch 12, `epoch 12` an epoch, a UUID
 * a submission, a CID a batch. Undefined when it is none of them.
 */
export function parseLookup(typed: string): Route | undefined {
  const text = typed.trim()
  const epoch = /^(?:epoch|e)\s*(\d+)$/i.exec(text)
  if (epoch) return epochRoute(Number(epoch[1]))
  const slot = /^(?:slot\s*)?(\d+)(?:\s*(?:\/|@|in|,|\s)\s*(?:epoch\s*)?(\d+))?$/i.exec(text)
  if (slot) return { page: 'lookup', slotId: wholeOf(slot[1]), epochId: wholeOf(slot[2]) }
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    return { page: 'submission', submissionId: text.toLowerCase() }
  if (/^(?:Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{58,})$/.test(text)) return { page: 'batch', cid: text }
  return undefined
}

export const epochRoute = (epochId: number): Route => ({ page: 'epoch', epochId, reason: '', project: '' })

function wholeOf(text: string | undefined): number | undefined {
  const value = Number(text)
  return text !== undefined && /^\d+$/.test(text) && Number.isSafeInteger(value) ? value : undefined
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}
