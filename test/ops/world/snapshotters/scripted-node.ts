/** A JSON-RPC node that answers what the snapshotters ask: blocks by number, and releases of epochs every few blocks. */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Interface, toBeHex, zeroPadValue } from 'ethers'

const EVENTS = new Interface([
  'event EpochReleased(address indexed dataMarketAddress, uint256 indexed epochId, uint256 begin, uint256 end, uint256 timestamp)',
])
export const hashOf = (block: number): string => toBeHex(block + 2 ** 40, 32)

export class ScriptedNode implements AsyncDisposable {
  head = 100
  down = false
  private readonly market: string
  private readonly releases = new Map<number, number>()
  private readonly server: Server

  constructor(market: string) {
    this.market = market
    this.server = createServer((request, response) => {
      if (this.down) return void response.destroy()
      let text = ''
      request.on('data', (chunk) => {
        text += chunk
      })
      request.on('end', () => {
        const body = JSON.parse(text)
        const answer = (call: { id: number; method: string; params: never[] }) => ({
          jsonrpc: '2.0',
          id: call.id,
          result: this.answer(call),
        })
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify(Array.isArray(body) ? body.map(answer) : answer(body)))
      })
    })
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Puts the release of an epoch into the next block. */
  release(epochId: number): void {
    this.releases.set(++this.head, epochId)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private answer({ method, params }: { method: string; params: readonly unknown[] }): unknown {
    if (method === 'eth_blockNumber') return toBeHex(this.head)
    if (method === 'eth_chainId') return '0x7a69'
    if (method === 'eth_getBlockByNumber') {
      const number = params[0] === 'latest' ? this.head : Number(params[0])
      return { number: toBeHex(number), hash: hashOf(number), parentHash: hashOf(number - 1) }
    }
    if (method !== 'eth_getLogs') return null
    const { fromBlock, toBlock } = params[0] as { fromBlock: string; toBlock: string }
    return [...this.releases]
      .filter(([block]) => block >= Number(fromBlock) && block <= Number(toBlock))
      .map(([block, epochId], index) => this.released(block, epochId, index))
  }

  private released(block: number, epochId: number, index: number) {
    const { data, topics } = EVENTS.encodeEventLog('EpochReleased', [this.market, epochId, 1, 2, 3])
    return {
      address: zeroPadValue('0x05', 20),
      data,
      topics,
      blockNumber: toBeHex(block),
      blockHash: hashOf(block),
      transactionHash: hashOf(block),
      transactionIndex: '0x0',
      logIndex: toBeHex(index),
      removed: false,
    }
  }
}
