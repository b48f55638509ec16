import { describe, expect, test } from 'vitest'
import type { RpcObserver } from '../../../../connectors/evm/nodes/rpc.ts'
import { createLog } from '../../../../ops/watch/logging/log.ts'
import { loggedNodes, NODE_LINE_EVERY_MS } from '../../../../ops/watch/logging/nodes.ts'

const ODD = { fault: 'odd', reason: 'why', asideMs: 1_000 } as const

function observed() {
  const lines: Record<string, unknown>[] = []
  const log = createLog({ level: 'debug', to: { write: (text: string) => void lines.push(JSON.parse(text)) } })
  const time = { now: 0 }
  const counted: string[] = []
  const observer = loggedNodes<Required<Pick<RpcObserver, 'disagreed' | 'unexpected' | 'nodeChanged'>>>(
    {
      disagreed: (endpoint: number, what: string) => void counted.push(`${endpoint} ${what}`),
      unexpected: (endpoint: number) => void counted.push(`${endpoint}`),
      nodeChanged: () => undefined,
    },
    log,
    'clock',
    { now: () => time.now },
  )
  return { lines, time, counted, observer }
}

describe('lines of what nodes do all the time', () => {
  test('behavior: of many disagreements there is one line in a while, and each is counted', () => {
    const { lines, time, counted, observer } = observed()
    for (; time.now < 60_000; time.now += 100) observer.disagreed(1, `the receipt of 0x${time.now}`)
    expect(counted.length).toBe(600)
    expect(lines.length).toBe(60_000 / NODE_LINE_EVERY_MS)
    const disagree = { event: 'nodes-disagree', level: 'warn', role: 'clock', node: 2 }
    expect(lines.slice(0, 2)).toMatchObject([
      { ...disagree, of: 'the receipt of 0x0', more: 0 },
      { ...disagree, of: `the receipt of 0x${NODE_LINE_EVERY_MS}`, more: NODE_LINE_EVERY_MS / 100 - 1 },
    ])
  })

  test('behavior: the same subject is said once, and again after the state of the node has changed', () => {
    const { lines, time, observer } = observed()
    for (; time.now < 60_000; time.now += 1_000) observer.disagreed(0, 'block 12')
    expect(lines.length).toBe(1)
    observer.nodeChanged(0, ODD)
    observer.disagreed(0, 'block 12')
    expect(lines[2]).toMatchObject({ of: 'block 12', more: 59 })
  })

  test('behavior: a change of state does not make for more lines than one in a while', () => {
    const { lines, time, observer } = observed()
    for (; time.now < NODE_LINE_EVERY_MS; time.now += 100) {
      observer.disagreed(0, `block ${time.now}`)
      observer.nodeChanged(0, ODD)
    }
    expect(lines.filter(({ event }) => event === 'nodes-disagree').length).toBe(1)
  })

  test('behavior: each node has lines of its own', () => {
    const { lines, observer } = observed()
    for (const node of [0, 1, 0, 1]) observer.disagreed(node, 'block 12')
    expect(lines.map(({ node }) => node)).toEqual([1, 2])
  })

  test('behavior: answers that cannot be read do not flood it either', () => {
    const { lines, time, counted, observer } = observed()
    const error = new Error('not thought of')
    for (; time.now < 60_000; time.now += 100) observer.unexpected(0, error)
    expect(counted.length).toBe(600)
    expect(lines).toMatchObject([{ event: 'node-unread', level: 'error', node: 1, more: 0 }])
  })
})
