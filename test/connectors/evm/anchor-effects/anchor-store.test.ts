import { expect, test } from 'vitest'
import type { AnchorSettings, BatchKeeping } from '../../../../connectors/evm/anchor-effects/anchor-options.ts'
import { type StorePorts, storeStep } from '../../../../connectors/evm/anchor-effects/anchor-store.ts'
import { EvmError } from '../../../../connectors/evm/errors.ts'
import type { AnchorIntent, AnchorKey } from '../../../../schemas/types.ts'

const key = { dataMarket: `0x${'1'.repeat(40)}`, epochId: 7, batchIndex: 0 } as unknown as AnchorKey
const intent = { attempt: 1, step: 'STORE' } as unknown as AnchorIntent
const never = new AbortController().signal

test('behavior: a batch that enough stores took while nodes were asked for its window is stored', async () => {
  let taken = (_cid: string): void => {}
  const held = new Promise<string>((resolve) => {
    taken = resolve
  })
  const keeping: BatchKeeping = { held, failing: true, describe: () => '1 of 1 stores hold the batch', drop: () => {} }
  let now = 0
  const ports = {
    clock: { now: () => (now += 60_000) },
    storage: { keep: () => keeping },
    heads: { head: undefined, changed: async () => undefined },
    rpc: {
      read: async () => {
        taken('cid')
        throw new EvmError('UNREACHABLE', 'no node answers')
      },
    },
    signal: never,
    read: async () => new Uint8Array(),
  } as unknown as StorePorts
  const settings = { protocolStateOf: () => key.dataMarket, backoffMs: 1 } as unknown as AnchorSettings
  expect(await storeStep(key, intent, settings, ports, never)).toMatchObject({ outcome: 'STORED', cid: 'cid' })
})
