/** Answers of the API that are on the screen: each is asked for once, however many parts show it, and again on news. */
import { type Signal, signal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { Page } from '../../schema.ts'
import { ApiProblem, ask } from './connection.ts'

export interface Answer<T> {
  /** The last good one, also while a newer one is asked for or none can be had. */
  readonly data: T | undefined
  /** The refusal of the API, in its words. */
  readonly problem: ApiProblem | undefined
}

/** Events that may make an answer outdated. */
export type News = 'epoch' | 'verdicts' | 'anchor' | 'day' | 'health'

interface Kept {
  readonly answer: Signal<Answer<unknown>>
  readonly load: () => Promise<unknown>
  readonly news: ReadonlySet<News>
  users: number
  askedAt: number
  asking: boolean
  /** News came while it was being asked for, or too soon after. */
  again: boolean
}

/** Answers that nobody shows any more, kept for the way back. */
const UNUSED_MAX = 40
/** An answer is not asked for more often, whatever happens. */
const DISTANCE_MS_MIN = 1_000
/** Items of a list that is read to its end. */
const ITEMS_MAX = 10_000
const PAGE_SIZE = 500

const kept = new Map<string, Kept>()
const NONE: Answer<never> = { data: undefined, problem: undefined }

export const useAnswer = <T>(path: string | undefined, ...news: News[]): Answer<T> =>
  useKept(path, () => ask<T>(path!), news)

/** A list read to its end, or to ITEMS_MAX. */
export const useWholeList = <T>(path: string | undefined, ...news: News[]): Answer<readonly T[]> =>
  useKept(path && `all ${path}`, () => readAll<T>(path!), news)

async function readAll<T>(path: string): Promise<readonly T[]> {
  const items: T[] = []
  let cursor: string | null = null
  do {
    const more = new URLSearchParams({ limit: `${PAGE_SIZE}`, ...(cursor !== null && { cursor }) })
    const page: Page<T> = await ask<Page<T>>(`${path}${path.includes('?') ? '&' : '?'}${more}`)
    items.push(...page.items)
    cursor = page.next
  } while (cursor !== null && items.length < ITEMS_MAX)
  return items
}

function useKept<T>(key: string | undefined, load: () => Promise<T>, news: readonly News[]): Answer<T> {
  const one = useMemo(() => (key === undefined ? undefined : keptOf(key, load, news)), [key])
  useEffect(() => {
    if (!one) return
    one.users++
    void refresh(one)
    return () => {
      one.users--
      forgetUnused()
    }
  }, [one])
  return (one?.answer.value ?? NONE) as Answer<T>
}

function keptOf(key: string, load: () => Promise<unknown>, news: readonly News[]): Kept {
  const found = kept.get(key)
  if (found) return found
  const made: Kept = {
    answer: signal<Answer<unknown>>(NONE),
    load,
    news: new Set(news),
    users: 0,
    askedAt: 0,
    asking: false,
    again: false,
  }
  kept.set(key, made)
  return made
}

function forgetUnused(): void {
  const unused = [...kept].filter(([, { users }]) => users === 0)
  for (const [key] of unused.slice(0, Math.max(0, unused.length - UNUSED_MAX))) kept.delete(key)
}

async function refresh(one: Kept): Promise<void> {
  if (one.asking || Date.now() - one.askedAt < DISTANCE_MS_MIN) {
    one.again = true
    return
  }
  one.asking = true
  one.again = false
  one.askedAt = Date.now()
  try {
    one.answer.value = { data: await one.load(), problem: undefined }
  } catch (error) {
    // Without an answer the last one stands; the banner says how old it is.
    if (error instanceof ApiProblem) one.answer.value = { data: undefined, problem: error }
    else one.again = true
  } finally {
    one.asking = false
  }
}

/** Asks again for what is on the screen and may have changed; without a kind, for all of it. */
export function renew(kind?: News): void {
  for (const one of kept.values()) if (one.users > 0 && (kind === undefined || one.news.has(kind))) void refresh(one)
}

/** Asks for what had to wait. */
export function renewWaiting(): void {
  for (const one of kept.values()) if (one.again && one.users > 0) void refresh(one)
}
