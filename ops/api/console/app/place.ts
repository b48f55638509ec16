/** The current place in the console, and the data market it shows. */
import { computed, signal } from '@preact/signals'
import type { Market } from '../../schema.ts'
import { hashOf, placeOf, type Route } from './routes.ts'

const place = signal(placeOf(location.hash))
const chosen = signal(place.value.market)
window.addEventListener('hashchange', () => {
  place.value = placeOf(location.hash)
  chosen.value = place.value.market ?? chosen.value
})

export const route = computed(() => place.value.route)

/** The markets that the API knows; empty until it has answered. */
export const markets = signal<readonly Market[]>([])

/** The market on the screen: the last one that a link named, else the first that is served. */
export const marketShown = computed(() => {
  const all = markets.value
  return all.find(({ dataMarket }) => dataMarket === chosen.value) ?? all.find(({ served }) => served) ?? all[0]
})
export const market = computed(() => marketShown.value?.dataMarket)

/** A link to a page; it names the market where there are several. */
export const linkTo = (to: Route): string => hashOf(to, markets.value.length > 1 ? market.value : undefined)

export function go(to: Route): void {
  location.hash = linkTo(to)
}

export function chooseMarket(dataMarket: string): void {
  location.hash = hashOf(route.value, dataMarket)
}

/** `market` as a field of a question to the API; none until it is known. */
export const ofMarket = (path: string, fields: Readonly<Record<string, string | number | undefined>> = {}): string => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries({ ...fields, market: market.value }))
    if (value !== undefined && value !== '') search.set(name, `${value}`)
  return `${path}${search.size > 0 ? `?${search}` : ''}`
}
