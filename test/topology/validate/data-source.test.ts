import { describe, expect, test } from 'vitest'
import { DATA_SOURCES_MAX, dataSourcesFault } from '../../../topology/shared/data-sources.ts'
import { wrongSource } from '../../../topology/validate/data-source.ts'
import {
  addressOf,
  closeTick,
  createWorld,
  headTick,
  openTick,
  orphanTick,
  rulesOf,
  type SubmissionFields,
  submissionOf,
  type World,
} from '../world.ts'

const SOURCES = ['0xa0', '0xb1', '0xc2', '0xd3']
const signerOf = (last: string): string => `0x${last.padStart(40, '0')}`
const projectOf = (source: string): string => `pairContract_trade_volume:${source}:UNISWAPV2`

describe('the index', () => {
  test.each([
    [3, '5', 2, 1, '0xd3'], // 3 + 5 + 2 + 1 = 11 = 3 mod 4
    [3, '5', 2, 2, '0xa0'],
    [4, '5', 2, 2, '0xb1'],
    [3, '5', 4, 2, '0xc2'],
    // An address is a number of 160 bits: 2^160 - 1 = 3 mod 4.
    [1, 'f'.repeat(40), 1, 1, '0xc2'],
  ])(
    'default: of epoch %i, signer %s, slot %i and day %i it is the one of %s',
    (epochId, signer, slotId, day, source) => {
      const of = (projectId: string) => wrongSource({ slotId, epochId, projectId }, signerOf(signer), day, SOURCES)
      expect(SOURCES.filter((one) => !of(projectOf(one)))).toEqual([source])
      expect(of(projectOf(source.toUpperCase().replace('X', 'x')))).toBeUndefined()
    },
  )

  test('args: what has no second part is of no source', () => {
    expect(wrongSource({ slotId: 1, epochId: 1, projectId: '0xa0' }, signerOf('1'), 1, ['0xa0'])).toMatchObject({
      expected: '0xa0, of day 1',
      actual: '0xa0',
    })
  })
})

describe('in validate', () => {
  /** Of day 6: the index of slot 1 in epoch 1 is its address + 8. */
  const world = (options: Parameters<typeof rulesOf>[0] = {}): World => {
    const created = createWorld({ rules: rulesOf({ dataSources: SOURCES, ...options }) })
    created.tick(headTick(10), { ...openTick(1, 10), day: 6 }, headTick(11))
    return created
  }
  const turn = (day: number, slotId = 1): string =>
    SOURCES[Number((BigInt(addressOf(slotId)) + BigInt(1 + slotId + day)) % 4n)]!
  const other = (day: number): string => SOURCES.find((source) => source !== turn(day))!
  const close = (of: World): void =>
    of.tick(headTick(12), headTick(13), headTick(14), headTick(15), { ...closeTick(1, 10, 15), day: 6 })

  test('default: the project of another source is refused, with both named', () => {
    const one = world()
    const [right, wrong] = [turn(6), other(6)].map((source) =>
      one.submit(submissionOf({ projectId: projectOf(source) })),
    )
    close(one)
    expect(one.reasonsOf([right!, wrong!])).toEqual(['COUNTED', 'WRONG_DATA_SOURCE'])
    expect(one.verdictOn(wrong!)).toMatchObject({
      stage: 'validate',
      expected: `${turn(6)}, of day 6`,
      actual: other(6),
    })
  })

  test('behavior: who is refused has taken no seat of the quota', () => {
    const one = world({ perSlotPerEpoch: 1 })
    const wrong = [1, 2, 3].map((n) =>
      one.submit(submissionOf({ projectId: projectOf(other(6)), snapshotCid: `B${n}`, receivedAt: 20_000 })),
    )
    const right = one.submit(submissionOf({ projectId: projectOf(turn(6)), receivedAt: 21_000 }))
    close(one)
    expect(one.reasonsOf([...wrong, right])).toEqual([...wrong.map(() => 'WRONG_DATA_SOURCE'), 'COUNTED'])
  })

  test('behavior: full nodes report what they like', () => {
    const one = world({ fullNodes: [addressOf(1)] })
    const sent = SOURCES.map((source) => one.submit(submissionOf({ projectId: projectOf(source) })))
    close(one)
    expect(one.reasonsOf(sent)).toEqual(sent.map(() => 'COUNTED'))
  })

  test('behavior: one that waits is judged by the day of its epoch, as it is released', () => {
    const one = createWorld({ rules: rulesOf({ dataSources: SOURCES }) })
    one.tick(headTick(9))
    const early = (fields: SubmissionFields) => one.submit(submissionOf({ receivedAt: 19_000, ...fields }))
    const sent = [turn(6), turn(7)].map((source) => early({ projectId: projectOf(source) }))
    one.tick(headTick(10), { ...openTick(1, 10), day: 6 })
    one.tick(orphanTick(10), headTick(10, 'b', ''), { ...openTick(1, 10, 'b'), day: 7 })
    expect(one.reasonsOf(sent)).toEqual([undefined, 'WRONG_DATA_SOURCE'])
  })

  test('behavior: a simulation is of no day', () => {
    const one = world()
    const sent = one.submit(submissionOf({ epochId: 0, projectId: projectOf(other(6)) }))
    expect(one.reasonOf(sent)).toBe('SIMULATION')
  })

  test('behavior: in an epoch without a day nothing can be told to be right', () => {
    const one = createWorld({ rules: rulesOf({ dataSources: ['0xa0'] }) })
    one.tick(headTick(10), openTick(1, 10), headTick(11))
    const sent = one.submit(submissionOf({ projectId: projectOf('0xa0') }))
    expect(one.verdictOn(sent)).toMatchObject({ reason: 'WRONG_DATA_SOURCE', actual: 'an epoch without a day' })
  })
})

describe('the list', () => {
  test.each([
    [['0xA0'], /not in lower case/],
    [['a', ''], /empty/],
    [['a:b'], /colon/],
    [Array.from({ length: DATA_SOURCES_MAX + 1 }, () => 'a'), /at most 4096/],
  ])('args: refused', (list, fault) => {
    expect(dataSourcesFault(list)).toMatch(fault)
    expect(() => createWorld({ rules: rulesOf({ dataSources: list }) })).toThrow(fault)
  })

  test('default: any others, some of them twice', () => {
    expect(dataSourcesFault(['0xa0', '0xb1', '0xa0'])).toBeUndefined()
  })
})
