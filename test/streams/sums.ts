/**
 * A small application with everything the engine has: numbers and round ends come in; the numbers of a round are added up
 * per name behind a repartition, and the sums are written when the round ends.
 */

import { createStreamsBuilder } from '../../streams/create-builder.ts'
import { scopedStore } from '../../streams/store.ts'
import type { Topology } from '../../streams/topology.ts'
import { type End, end, itemTopic, json, plainTopic, topicOf } from './fixture.ts'

export interface SumsOptions {
  readonly input?: number
  readonly middle?: number
  readonly prefix?: string
  /** See `KafkaTopic.holdsOrders`, of the sums. */
  readonly holdsOrders?: boolean
}

export type Sum = { readonly round: string; readonly name: string; readonly sum: number }

export const sumStore = scopedStore<number>('sums', json<number>())

export function sumsTopics({ input = 2, middle = 3, prefix = '', holdsOrders = false }: SumsOptions = {}) {
  return {
    ends: plainTopic(`${prefix}ends`),
    numbers: itemTopic(`${prefix}numbers`, input),
    byName: itemTopic(`${prefix}by-name`, middle),
    sums: { ...topicOf(`${prefix}sums-out`, json<Sum>()), holdsOrders },
    rest: plainTopic('dead'),
  }
}

export function sumsTopology(topics: ReturnType<typeof sumsTopics>): Topology {
  const builder = createStreamsBuilder()
  builder.deadLetters('dead')
  const fanOut = builder
    .stream(topics.ends)
    .process<{ ends: readonly [string, End, End] }>('fan-out', ['ends'], (context) => ({
      process(_key, value) {
        context.outputs.ends.sendMarker(end(value))
        return undefined
      },
    }))
  fanOut.ends.broadcast(topics.numbers)

  const forward = builder
    .stream(topics.numbers)
    .process<{ out: readonly [string, number, End] }>('forward', ['out'], (context) => ({
      process(key, value) {
        context.outputs.out.send(key, value)
        return undefined
      },
      onMarker(marker) {
        context.outputs.out.sendMarker(marker)
        return undefined
      },
    }))

  forward.out
    .repartition(topics.byName)
    .process<{ sums: readonly [string, Sum] }>(
      'sum',
      ['sums'],
      (context) => {
        const store = context.store(sumStore)
        return {
          process(key, value) {
            const [round, name] = key.split('/') as [string, string]
            store.put(round, name, (store.get(round, name) ?? 0) + value)
            return undefined
          },
          onMarker({ round }) {
            for (const [name, sum] of store.entries(round))
              context.outputs.sums.send(`${round}/${name}`, { round, name, sum })
            store.dropScope(round)
            return undefined
          },
        }
      },
      sumStore,
    )
    .sums.to(topics.sums)
  return builder.build()
}
