import { describe, expect, test } from 'vitest'
import { createMarketSwitches, SWITCHES_LOOK_MS } from '../../../../connectors/evm/clock/market-switches.ts'
import type { Endpoint } from '../../../../connectors/evm/nodes/ask.ts'
import { createRpc } from '../../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../../connectors/system-clock.ts'
import {
  CHAIN_ID,
  exampleChain,
  MARKET,
  OTHER_MARKET,
  PROTOCOL_STATE,
  rpcError,
  type ScriptedChain,
} from '../scripted-chain.ts'

function world(chain: ScriptedChain, node: Endpoint = chain.node()) {
  let now = 0
  let asked = 0
  const told: [string, boolean][] = []
  const rpc = createRpc(
    { urls: ['0'], chainId: CHAIN_ID, timeoutMs: 1_000, batchMax: 1 },
    { clock: systemClock, observer: { answered: () => void asked++ }, connect: () => node },
  )
  const ports = {
    rpc,
    clock: { now: () => now },
    switched: (market: string, isOn: boolean) => void told.push([market, isOn]),
  }
  const look = createMarketSwitches(PROTOCOL_STATE, ports)
  const later = (served = [MARKET]) => {
    now += SWITCHES_LOOK_MS
    return look(served)
  }
  return { look, later, told, asked: () => asked }
}

describe('a market that its owner switches off', () => {
  test('default: one that is on is not told of, and is looked at twice a minute', async () => {
    const { look, told, asked } = world(exampleChain())
    await look([MARKET])
    const before = asked()
    for (let i = 0; i < 5; i++) await look([MARKET])
    expect([told, asked()]).toEqual([[], before])
  })

  test('behavior: is told once, and once that it is on again', async () => {
    const chain = exampleChain()
    const { later, told } = world(chain)
    await later()
    chain.mine({ enabled: false })
    for (let i = 0; i < 3; i++) await later()
    expect(told).toEqual([[MARKET, false]])
    chain.mine({ enabled: true })
    for (let i = 0; i < 3; i++) await later()
    expect(told).toEqual([
      [MARKET, false],
      [MARKET, true],
    ])
  })

  test('behavior: is told anew when it is served again', async () => {
    const chain = exampleChain()
    chain.mine({ enabled: false })
    const { later, told } = world(chain)
    await later([MARKET, OTHER_MARKET])
    await later([OTHER_MARKET])
    await later([MARKET, OTHER_MARKET])
    expect(told.map(([market]) => market)).toEqual([MARKET, OTHER_MARKET, MARKET])
  })

  test.each(['execution reverted', 'no answer of the kind'])(
    'error: "%s" tells nothing, and ends nothing',
    async (words) => {
      const chain = exampleChain()
      let fails = true
      const node = chain.node((method) => {
        if (fails && method === 'eth_call') throw rpcError(words)
      })
      chain.mine({ enabled: false })
      const { later, told } = world(chain, node)
      await later()
      expect(told).toEqual([])
      fails = false
      await later()
      expect(told).toEqual([[MARKET, false]])
    },
  )
})
