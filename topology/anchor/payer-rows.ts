/** The rows of `payments`, kept so that rows of old days can be taken out: only the payer writes there (decision 0039). */
import type { DayKey, PaymentKey } from '../../schemas/types.ts'
import type { ScopedStore } from '../../streams/store.ts'
import type { MarketRules } from '../rules.ts'

export interface PaymentRowsPorts {
  /** By market and day. */
  readonly rows: ScopedStore<PaymentKey>
  readonly rulesOf: (dataMarket: string) => Pick<MarketRules, 'daysKept'>
  readonly takeOut: (key: PaymentKey) => void
}

export function createPaymentRows({ rows, rulesOf, takeOut }: PaymentRowsPorts) {
  /** @param isUnderWay what is still written would come behind the tombstone: such a day goes later, with another one */
  const takeOutOldest = (dataMarket: string, isUnderWay: (day: number) => boolean): void => {
    const days = [...rows.scopes()]
      .filter((scope) => scope.startsWith(`${dataMarket}/`))
      .map((scope) => newestOf(scope, [...rows.entries(scope)]))
      .sort((a, b) => b.newest - a.newest || b.day - a.day)
    for (const { scope, day } of days.slice(rulesOf(dataMarket).daysKept)) {
      if (isUnderWay(day)) continue
      for (const [, key] of rows.entries(scope)) takeOut(key)
      rows.dropScope(scope)
    }
  }

  return {
    /**
     * Notes one more row. With the first of a day those days go that had one longest ago, down to `daysKept` of the market, all of whose calls
     * are done with.
     */
    add(key: PaymentKey, isUnderWay: (day: number) => boolean): void {
      const scope = dayScope(key)
      const isOfNewDay = rows.sizeOf(scope) === 0
      rows.put(scope, `${key.epochId}/${key.number}`, key)
      if (isOfNewDay) takeOutOldest(key.dataMarket, isUnderWay)
    },
  }
}

export type PaymentRows = ReturnType<typeof createPaymentRows>

const dayScope = ({ dataMarket, day }: DayKey): string => `${dataMarket}/${day}`

function newestOf(scope: string, entries: readonly (readonly [string, PaymentKey])[]) {
  const newest = entries.reduce((most, [, { epochId }]) => Math.max(most, epochId), 0)
  return { scope, day: entries[0]![1].day, newest }
}
