import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { faultOfForm } from '../../../ops/check/audit/form.ts'
import { checkRules, completeRules, MARKET_DEFAULTS, type ProtocolRules } from '../../../topology/rules.ts'
import { patternFault, sharedProjects, takesProject } from '../../../topology/shared/project-ids.ts'
import { formFault } from '../../../topology/validate/form.ts'
import {
  closeEpoch,
  closeTick,
  createWorld,
  headTick,
  MARKET,
  marketRules,
  OTHER_MARKET,
  openTick,
  rulesOf,
  submissionOf,
} from '../world.ts'

describe('a pattern', () => {
  test.each([
    ['pair:UNISWAPV2', 'pair:UNISWAPV2', true],
    ['pair:UNISWAPV2', 'pair:UNISWAPV22', false],
    ['*:UNISWAPV2', 'pair:UNISWAPV2', true],
    ['*:UNISWAPV2', ':UNISWAPV2', true],
    ['*:UNISWAPV2', 'pair:UNISWAPV2 ', false],
    ['pair*', 'pair', true],
    ['pair*V2', 'pairV2', true],
    ['pairV*V2', 'pairV2', false],
    ['*', '\u{1f600}', true],
    ['a.c', 'abc', false],
  ])('behavior: %s and %s: %s', (pattern, id, taken) => expect(takesProject([pattern], id)).toBe(taken))
  test('default: no patterns take all', () => expect(takesProject([], 'anything')).toBe(true))
  test.each(['', '**', 'a*b*'])('error: %j', (pattern) => {
    expect(patternFault(pattern)).toBeDefined()
    expect(() => checkRules(rulesOf({ projectIds: [pattern] }))).toThrow(`projectIds of ${MARKET}`)
  })
})

const part = fc.string({ unit: fc.constantFrom('a', 'b', 'é'), maxLength: 2 })
const pattern = fc.tuple(part, part, fc.boolean()).map(([a, b, open]) => (open ? `${a}*${b}` : `a${a}${b}`))
const patterns = fc.array(pattern, { minLength: 1, maxLength: 4 })

test('behavior: two markets share a project exactly when the rules say so', () => {
  const ids = ['a', 'b', 'é'].flatMap((x) => ['', 'a', 'b', 'é'].map((y) => x + y))
  const all = ids.flatMap((x) => ['', ...ids].flatMap((y) => ['', ...ids].map((z) => x + y + z)))
  fc.assert(
    fc.property(patterns, patterns, (one, other) => {
      const isShared = all.some((id) => takesProject(one, id) && takesProject(other, id))
      const markets = [one, other].map((projectIds, i) => ({ dataMarket: `${i}`, projectIds }))
      expect(sharedProjects(markets).length > 0).toBe(isShared)
    }),
    { numRuns: 200 },
  )
})

test('behavior: topology and audit agree on which projects a market takes', () => {
  fc.assert(
    fc.property(patterns, part, (projectIds, text) => {
      const market = marketRules({ projectIds })
      const submission = submissionOf({ signature: '00', projectId: `a${text}` })
      expect(faultOfForm(submission, market)).toBe(formFault(submission, market)?.reason)
    }),
  )
})

const twoMarkets = (one: readonly string[], other: readonly string[]): ProtocolRules => ({
  ...rulesOf(),
  markets: [marketRules({ projectIds: one }), marketRules({ dataMarket: OTHER_MARKET, projectIds: other })],
})

test('error: two markets that both say that a project is theirs', () => {
  expect(() => checkRules(twoMarkets(['*:A', 'x'], ['x*']))).toThrow(
    `projectIds of ${MARKET} and of ${OTHER_MARKET} share projects (*:A and x*): a vote would count in both`,
  )
  expect(() => checkRules(twoMarkets(['*:A'], ['*:B']))).not.toThrow()
  expect(() => checkRules(twoMarkets(['*:A'], []))).not.toThrow()
})

test('behavior: a vote that is sent again for another market is FOREIGN_PROJECT, and takes no place of the slot', () => {
  const world = createWorld({ rules: twoMarkets(['*:A'], ['*:B']) })
  world.tick(headTick(10), openTick(1, 10), openTick(1, 10, '', OTHER_MARKET), headTick(11))
  const votes = ['p:A', 'q:A'].map((projectId) => world.submit(submissionOf({ projectId })))
  const again = votes.map((vote, i) =>
    world.submit({ ...vote, submissionId: submissionOf().submissionId, dataMarket: OTHER_MARKET, receivedAt: i }),
  )
  const own = ['p:B', 'q:B'].map((projectId) => world.submit(submissionOf({ projectId, dataMarket: OTHER_MARKET })))
  closeEpoch(world)
  world.tick(closeTick(1, 10, 15, '', OTHER_MARKET))
  expect([...votes, ...own].map((one) => world.reasonOf(one))).toEqual(Array(4).fill('COUNTED'))
  expect(world.verdictOn(again[0]!)).toMatchObject({
    reason: 'FOREIGN_PROJECT',
    rule: 'the project is one of the data market',
    expected: '*:B',
    actual: 'p:A',
  })
  expect(world.reasonOf(again[1]!)).toBe('FOREIGN_PROJECT')
})

test('behavior: rules that an older release wrote down get the defaults of what came later', () => {
  const { dataMarket, chainId, protocolState, votesMin } = marketRules({ votesMin: 3 })
  const older = { markets: [{ dataMarket, chainId, protocolState, votesMin }] } as unknown as ProtocolRules
  const rules = completeRules(older)
  expect(() => checkRules(rules)).not.toThrow()
  expect(rules).toMatchObject({ addedMarkets: MARKET_DEFAULTS, markets: [{ votesMin: 3, projectIds: [] }] })
})
