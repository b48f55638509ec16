import { readFileSync } from 'node:fs'
import { Interface } from 'ethers'
import { describe, expect, test } from 'vitest'
import { dataMarketInterface, nodesInterface, protocolStateInterface } from '../../../../connectors/evm/contract/abi.ts'
import { compileDevProtocolState } from '../../../../ops/world/chain/contracts/compile.ts'
import { devProtocolState } from '../../../../ops/world/chain/contracts/dev-contract.ts'
import { finalizedCidsRoot } from '../../../../ops/world/chain/dev-validator.ts'
import { DEPLOYED_EVENTS, DEPLOYED_FUNCTIONS } from './deployed-abi.ts'

describe('ABI', () => {
  test.each(Object.entries(DEPLOYED_FUNCTIONS))(
    'behavior: %s has the selector of the deployed contracts',
    (name, selector) => {
      const owner = [protocolStateInterface, dataMarketInterface, nodesInterface].find((abi) => abi.hasFunction(name))
      expect(owner?.getFunction(name)?.selector).toBe(`0x${selector}`)
    },
  )

  test.each(Object.entries(DEPLOYED_EVENTS))('behavior: %s has the topic of the deployed contracts', (name, topic) => {
    const [first, last] = topic.split('…') as [string, string?]
    const hash = protocolStateInterface.getEvent(name)!.topicHash
    expect(hash.startsWith(`0x${first}`) && hash.endsWith(last ?? '')).toBe(true)
  })

  test.each([
    ['ProtocolState', protocolStateInterface],
    ['DataMarket', dataMarketInterface],
    ['Nodes', nodesInterface],
  ])('behavior: a function of %s is found by name, selector and signature, as ethers finds it', (_, abi) => {
    const plain = new Interface(abi.format())
    abi.forEachFunction(({ name, selector }) => {
      const expected = plain.getFunction(name)
      for (const key of [name, selector, selector.toUpperCase().replace('0X', '0x'), expected!.format('sighash')])
        expect(abi.getFunction(key)?.format()).toBe(expected!.format())
      expect(abi.getFunction(name)!.selector).toBe(expected!.selector)
      expect(abi.getFunction(name, [])?.format()).toBe(plain.getFunction(name, [])?.format())
    })
    expect(abi.getFunction('nothing')).toBe(null)
  })

  test('behavior: whatever the development contract has under a deployed name has its selector or topic', () => {
    const identities = (abi: Interface): Map<string, string> => {
      const found = new Map<string, string>()
      abi.forEachFunction(({ name, selector }) => void found.set(name, selector))
      abi.forEachEvent(({ name, topicHash }) => void found.set(name, topicHash))
      return found
    }
    const deployed = new Map([...identities(nodesInterface), ...identities(protocolStateInterface)])
    const ours = [...identities(devProtocolState().interface)].filter(([name]) => deployed.has(name))
    expect(ours.length).toBeGreaterThan(40)
    expect(ours).toEqual(ours.map(([name]) => [name, deployed.get(name)]))
  })
})

test('behavior: the committed bytecode and ABI are what the source compiles to', () => {
  const { compiler, abi, bytecode } = devProtocolState()
  expect({ compiler, abi, bytecode }).toEqual(compileDevProtocolState())
})

test('behavior: the validator computes the published root of finalized CIDs', () => {
  const { batch } = {
    batch: JSON.parse(readFileSync('test/vectors/published-batch.json', 'utf8')) as { cids: string[] },
  }
  expect(finalizedCidsRoot(batch.cids)).toBe('0x04a066d979147a36eca07812c338f429fba6334baeef10c25ec428ffc48c821a')
})
