import { expect, test } from 'vitest'
import { marketWarnings } from '../../../ops/settings/market-warnings.ts'
import { MARKET_DEFAULTS, type MarketRules } from '../../../topology/rules.ts'
import { runHere } from '../run-here.ts'

const market = (fields: Partial<MarketRules>): MarketRules => ({
  ...MARKET_DEFAULTS,
  dataMarket: `0x${'a'.repeat(40)}`,
  chainId: 1,
  protocolState: `0x${'b'.repeat(40)}`,
  ...fields,
})
const aboutOf = (...markets: MarketRules[]) => marketWarnings(markets).map(({ about }) => about)

test('default: no rule warns of a market that is paid for votes of two slots, or for projects of its own', () => {
  expect(aboutOf(market({}))).toEqual([])
  expect(aboutOf(market({ rewards: 'on', votesMin: 2 }))).toEqual([])
  expect(aboutOf(market({ rewards: 'on', projectIds: ['*:UNISWAPV2'] }))).toEqual([])
})

test('behavior: rewards for projects that one slot can invent are warned of', () => {
  const [warning] = marketWarnings([market({ rewards: 'on' })])
  expect(warning).toMatchObject({ about: 'rewards', text: expect.stringContaining('Give projectIds, or votesMin 2') })
})

test('behavior: two markets that take the same projects are warned of', () => {
  expect(aboutOf(market({}), market({ dataMarket: `0x${'c'.repeat(40)}` }))).toEqual(['projects'])
})

test('behavior: `config check` says it, of markets that are added too', async () => {
  const settings = [
    ['kafka.brokers', 'one:9092'],
    ['registry.url', 'http://registry:8081'],
    ['chain.chainId', '31337'],
    ['chain.protocolState', `0x${'b'.repeat(40)}`],
    ['markets', `0x${'a'.repeat(40)}`],
    ['addedMarkets.rewards', 'on'],
  ].flatMap(([path, value]) => ['--set', `${path}=${value}`])
  const { stdout, stderr, exitCode } = await runHere(['config', 'check', ...settings])
  expect(stderr).toBe('')
  expect(stdout).toContain('Rewards of a market that is added at run time are on with votesMin 1')
  expect(exitCode).toBeUndefined()
})
