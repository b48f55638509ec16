import { Transaction, Wallet } from 'ethers'
import { beforeAll, expect, test } from 'vitest'
import { compareHistory, historyName, readHistories } from '../../../../ops/check/audit/anchor-history.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import type { Anchor, AnchorResult } from '../../../../schemas/types.ts'
import type { LogRecord } from '../../../../streams/ports.ts'
import { resultOf } from '../../../topology/anchor/anchor-harness.ts'
import { FrozenLog } from './frozen-log.ts'
import { MARKETS, RULES, runScenario, type Scenario } from './scenario.ts'

const KEY = { dataMarket: MARKETS[0], epochId: 1, batchIndex: 0 }
const BLOCK = { blockNumber: 40, blockHash: `0x${'66'.repeat(32)}` }
const ATTESTATION = { validator: MARKETS[0], matches: true, blockNumber: 41, finalized: true }

let topics: Scenario['topics']
let row: Anchor
let results: AnchorResult[]
beforeAll(async () => {
  const scenario = await runScenario({ seed: 1, epochs: 1, partitions: 1 })
  topics = scenario.topics
  const wallet = new Wallet(`0x${'11'.repeat(32)}`)
  const rawTransaction = await wallet.signTransaction({
    to: MARKETS[0],
    nonce: 7,
    chainId: 1,
    gasLimit: 1,
    gasPrice: 1,
  })
  const transactionHash = Transaction.from(rawTransaction).hash!
  results = [
    resultOf({ step: 'STORE', attempt: 1, outcome: 'STORED', cid: 'bafone' }),
    resultOf({ step: 'PREPARE', attempt: 2, outcome: 'READY', signer: wallet.address, nonce: 7 }),
    resultOf({ step: 'SIGN', attempt: 3, outcome: 'SIGNED', rawTransaction, transactionHash }),
    resultOf({ step: 'SEND', attempt: 4, outcome: 'FINAL', transactionHash, ...BLOCK }),
    resultOf({ step: 'WATCH', attempt: 5, outcome: 'ATTESTED', attestation: ATTESTATION }),
  ]
  const rows = scenario.log.records(topics.anchors, 0).map(({ value }) => topics.anchors.value.decode(value!))
  const said = { cid: 'bafone', transactionHash, ...BLOCK, nonce: 7, attempts: 6 }
  row = { ...rows.at(-1)!, ...said, attestations: [ATTESTATION], attested: true, diverged: false, reorgs: 0 }
}, 120_000)

async function compared(changed: Partial<Anchor>, of: readonly AnchorResult[] = results, countsAttempts = true) {
  const { name, key, value } = topics.anchorResults
  const recordOf = (result: AnchorResult, offset: number): LogRecord => ({
    offset,
    timestamp: 0,
    key: key.encode(KEY),
    value: value.encode(result),
    headers: [],
  })
  const findings = new Findings()
  const histories = await readHistories(
    new FrozenLog([{ name, partitions: [of.map(recordOf)] }]),
    topics,
    RULES,
    findings,
  )
  compareHistory('there', { ...row, ...changed }, histories.get(historyName(KEY)), countsAttempts, findings)
  return findings.differences().map(({ message }) => message.split(' ')[0])
}

test('default: a row that says what the results said, also while more come', async () => {
  expect(await compared({})).toEqual([])
  expect(await compared({ attestations: [], attested: false, attempts: 5 })).toEqual([])
})

test.each<[string, Partial<Anchor>]>([
  ['CID', { cid: 'baftwo' }],
  ['transaction', { transactionHash: `0x${'ab'.repeat(32)}`, blockHash: '' }],
  ['nonce', { nonce: 8 }],
  ['block', { blockNumber: 41 }],
  ['block', { blockHash: `0x${'ab'.repeat(32)}` }],
  ['attempts', { attempts: 8 }],
  ['attested', { attested: false }],
  ['diverged', { diverged: true }],
  ['reorgs', { reorgs: 1 }],
  ['attestation', { attestations: [{ ...ATTESTATION, matches: false }] }],
])('error: another %s', async (what, changed) => {
  expect(await compared(changed)).toEqual([what])
})

test('behavior: what was found on the chain without a nonce, an ending that was held back, results that expired', async () => {
  expect(await compared({ nonce: -1 })).toEqual([])
  const { transactionHash } = row
  const found = resultOf({ step: 'PREPARE', attempt: 2, outcome: 'ALREADY_ANCHORED', transactionHash, ...BLOCK })
  const changed = { nonce: -1, attempts: 3, attestations: [], attested: false }
  expect(await compared(changed, [results[0]!, found])).toEqual([])
  expect(await compared({ attempts: 9 }, results, false)).toEqual([])
  for (let expired = 1; expired <= results.length; expired++)
    expect(await compared({}, results.slice(expired))).toEqual([])
})
