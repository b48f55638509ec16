import type { ITopicMetadata } from 'kafkajs'
import { expect, test } from 'vitest'
import { examineCopies } from '../../../../ops/look/doctor/copies.ts'

const adminOf = (inSync: readonly (readonly number[])[]) => ({
  fetchTopicMetadata: async () => ({
    topics: inSync.map((isr, at): ITopicMetadata => {
      const partition = {
        partitionErrorCode: 0,
        partitionId: 0,
        leader: isr[0] ?? -1,
        replicas: [1, 2, 3],
        isr: [...isr],
      }
      return { name: `t${at}`, partitions: [partition] }
    }),
  }),
})

test('default: every partition has all its copies', async () => {
  expect(await examineCopies(adminOf([[1, 2, 3]]), ['t0'])).toEqual({
    check: 'copies',
    ok: true,
    detail: '1 partition, each with all its copies',
  })
})

test('error: copies that lack are counted, with the brokers that should have them', async () => {
  const found = await examineCopies(adminOf([[1, 3], [3, 1, 2], [1]]), ['t0', 't1', 't2'])
  expect(found).toMatchObject({
    ok: false,
    detail: '2 of 3 partitions lack copies, on brokers 2, 3; the fewest that one has is 1',
  })
})

test('error: without a topic nothing is claimed', async () => {
  expect(await examineCopies(adminOf([]), [])).toMatchObject({ ok: null })
})
