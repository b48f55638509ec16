import { describe, expect, it } from 'vitest'
import { nonceKey } from '../../../schemas/anchor-keys.ts'
import type { AnchorKey, AnchorResult } from '../../../schemas/types.ts'
import { type AnchorStage, anchorStage, READY, SIGNER } from './anchor-harness.ts'

/** Of a call, long enough that only its hash is kept when there is a newer form. */
const RAW = `0x${'ab'.repeat(600)}`
const LONG_RAW = `0x${'cd'.repeat(40_000)}`
const hashOf = (nonce: number): string => `0x${nonce.toString(16).padStart(64, '0')}`
const placeOf = (nonce: number): Partial<AnchorResult> => ({
  transactionHash: hashOf(nonce),
  blockNumber: 50 + nonce,
  blockHash: `0xblock${nonce}`,
})

/** Signs, sends and mines to the depth what has its nonce. */
function anchorIt(stage: AnchorStage, key: AnchorKey, rawTransaction = RAW): number {
  const { nonce } = stage.intent(key)!
  stage.answer(key, 'SIGNED', { nonce, rawTransaction, transactionHash: hashOf(nonce) })
  stage.answer(key, 'MINED', placeOf(nonce))
  stage.answer(key, 'FINAL', placeOf(nonce))
  return nonce
}

/** An epoch with one batch; both are final, with nonces 7 and 8. */
function endedEpoch(rawTransaction = RAW, rules = {}) {
  const stage = anchorStage(rules)
  const batch = stage.batch(1, 0)
  const end = stage.summary(1, 1)
  stage.answer(batch, 'STORED', { cid: 'bafy' })
  for (const key of [batch, end]) {
    stage.answer(key, 'READY', READY)
    anchorIt(stage, key, rawTransaction)
  }
  return { stage, batch, end }
}

const statesOf = (stage: AnchorStage, key: AnchorKey): string[] =>
  stage.rows.filter((one) => one.key.batchIndex === key.batchIndex).map(({ row }) => row.state)
const sizeOf = (stage: AnchorStage): number => stage.stores.get('anchor-progress')!.size

describe('a chain that went back behind what is final', () => {
  it('default: the same transaction is sent again with the same nonce, and the register says how often', () => {
    const { stage, batch } = endedEpoch()
    stage.answer(batch, 'ATTESTED', {
      attestation: { validator: '0xv', matches: true, blockNumber: 60, finalized: true },
    })
    stage.answer(batch, 'REORGED', placeOf(7))
    expect(stage.intent(batch)).toMatchObject({ step: 'SEND', nonce: 7, rawTransactions: [RAW], call: 'SUBMIT' })
    expect(stage.row(batch)).toMatchObject({ state: 'SENT', reorgs: 1, blockNumber: -1, attested: false })
    expect(stage.row(batch)?.attestations).toEqual([])
    stage.answer(batch, 'FINAL', { ...placeOf(7), blockNumber: 99 })
    expect(stage.row(batch)).toMatchObject({ state: 'FINAL', reorgs: 1, blockNumber: 99 })
    expect(statesOf(stage, batch).slice(-5)).toEqual(['FINAL', 'FINAL', 'REORGED', 'SENT', 'FINAL'])
    expect(stage.intent(batch)).toMatchObject({ step: 'WATCH', rawTransactions: [hashOf(7)], blockHash: '0xblock7' })
  })

  it('behavior: an epoch is kept until all of it is settled, and then nothing is', () => {
    const { stage, batch, end } = endedEpoch()
    stage.answer(batch, 'ATTESTED')
    expect(stage.intent(batch)).toMatchObject({ step: 'KEEP', blockNumber: 57, blockHash: '0xblock7' })
    for (const key of [end, batch]) {
      expect(sizeOf(stage)).toBe(1)
      stage.answer(key, 'SETTLED')
    }
    expect(sizeOf(stage)).toBe(0)
  })

  it('behavior: a call too long to be kept is signed again, which gives the same', () => {
    const { stage, batch } = endedEpoch(LONG_RAW)
    const signedBefore = stage.intents.find(({ key, intent }) => key.batchIndex === 0 && intent.step === 'SIGN')!.intent
    stage.answer(batch, 'REORGED', placeOf(7))
    const { gasLimit, maxFeePerGas, maxPriorityFeePerGas, nonce, call } = signedBefore
    const same = { gasLimit, maxFeePerGas, maxPriorityFeePerGas, nonce, call }
    expect(stage.intent(batch)).toMatchObject({ step: 'SIGN', ...same, rawTransactions: [hashOf(7)] })
    stage.answer(batch, 'SIGNED', { nonce: 7, rawTransaction: LONG_RAW, transactionHash: hashOf(7) })
    expect(stage.intent(batch)?.rawTransactions.at(-1)).toBe(LONG_RAW)
  })

  it('behavior: one whose call cannot be made now gives its nonce to a filler, and is decided anew', () => {
    const { stage, batch } = endedEpoch()
    stage.answer(batch, 'REORGED', { ...placeOf(7), error: 'the window is over' })
    expect(stage.intent(batch)).toMatchObject({ step: 'PREPARE', nonce: -1, call: 'SUBMIT', rawTransactions: [] })
    const filler = stage.intent(nonceKey(SIGNER, 7))!
    expect(filler).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 7, signer: SIGNER, rawTransactions: [RAW] })
    expect(BigInt(filler.maxFeePerGas)).toBeGreaterThan(BigInt(READY.maxFeePerGas!)) // else no pool takes it in its place
    stage.answer(nonceKey(SIGNER, 7), 'SIGNED', { rawTransaction: '0xfiller', transactionHash: '0xf' })
    expect(stage.intent(nonceKey(SIGNER, 7))!.rawTransactions).toEqual([hashOf(7), '0xfiller'])
    stage.answer(batch, 'LATE')
    expect(statesOf(stage, batch).slice(-3)).toEqual(['REORGED', 'STORED', 'LATE'])
  })

  it('behavior: an ending that was lost with its batch is called again only when the batch is final again', () => {
    const { stage, batch, end } = endedEpoch()
    stage.answer(batch, 'REORGED', placeOf(7))
    stage.answer(end, 'REORGED', placeOf(8))
    expect(stage.intent(end)).toMatchObject({ step: 'DONE', nonce: -1 })
    expect(stage.intent(nonceKey(SIGNER, 8))).toMatchObject({ step: 'SIGN', call: 'FILL', nonce: 8 })
    stage.answer(batch, 'MINED', placeOf(7))
    expect(stage.intent(end)).toMatchObject({ step: 'DONE' })
    stage.answer(batch, 'FINAL', placeOf(7))
    expect(stage.intent(end)).toMatchObject({ step: 'PREPARE', call: 'END' })
    stage.answer(end, 'READY', READY)
    expect(anchorIt(stage, end)).toBe(9)
    expect(statesOf(stage, end).slice(-6)).toEqual(['PLANNED', 'READY', 'READY', 'SENT', 'MINED', 'FINAL'])
  })

  it('behavior: an ending that was lost alone is sent again as it is', () => {
    const { stage, end } = endedEpoch()
    stage.answer(end, 'REORGED', placeOf(8))
    expect(stage.intent(end)).toMatchObject({ step: 'SEND', nonce: 8, rawTransactions: [RAW] })
  })

  it.each(['READY', 'SIGNED', 'MINED'] as const)(
    'behavior: an ending that is not final (%s) is held back when its batch is lost',
    (reached) => {
      const stage = anchorStage()
      const batch = stage.batch(1, 0)
      const end = stage.summary(1, 1)
      stage.answer(batch, 'STORED', { cid: 'bafy' })
      stage.answer(batch, 'READY', READY)
      anchorIt(stage, batch)
      for (const outcome of ['READY', 'SIGNED', 'MINED'] as const) {
        const fields = { ...READY, rawTransaction: RAW, ...(outcome === 'MINED' ? placeOf(8) : {}) }
        stage.answer(end, outcome, fields)
        if (outcome === reached) break
      }
      stage.answer(batch, 'REORGED', placeOf(7))
      expect(stage.intent(end)).toMatchObject({ step: 'DONE', nonce: -1 })
      expect(stage.row(end)).toMatchObject({ state: 'PLANNED', nonce: -1 })
      expect(stage.intent(nonceKey(SIGNER, 8))).toMatchObject({ step: 'SIGN', call: 'FILL' })
    },
  )

  it('behavior: what was found on the chain without a nonce of ours is looked for again', () => {
    const stage = anchorStage()
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'ALREADY_ANCHORED', placeOf(3))
    stage.answer(batch, 'REORGED', placeOf(3))
    expect(stage.intent(batch)).toMatchObject({ step: 'PREPARE', nonce: -1 })
    expect(sizeOf(stage)).toBe(1)
  })

  it('behavior: a batch that was too late may be in time on the other branch', () => {
    const stage = anchorStage()
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'READY', READY)
    stage.answer(batch, 'SIGNED', { nonce: 7, rawTransaction: RAW, transactionHash: hashOf(7) })
    stage.answer(batch, 'LATE', placeOf(7))
    expect(stage.intent(batch)).toMatchObject({ step: 'KEEP' })
    stage.answer(batch, 'REORGED', placeOf(7))
    expect(stage.intent(batch)).toMatchObject({ step: 'SEND', nonce: 7 })
    stage.answer(batch, 'FINAL', placeOf(7))
    expect(stage.row(batch)).toMatchObject({ state: 'FINAL', error: '' })
  })
})

describe('nonces that no batch has', () => {
  /** A batch whose transaction reverted: nonce 7 is used up, and the batch has another. */
  function reverted() {
    const stage = anchorStage()
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'READY', READY)
    stage.answer(batch, 'SIGNED', { nonce: 7, rawTransaction: RAW, transactionHash: hashOf(7) })
    stage.answer(batch, 'REVERTED', { ...placeOf(7), error: 'OUT_OF_GAS' })
    return { stage, batch, used: nonceKey(SIGNER, 7) }
  }

  it('default: one that is used up is watched, and nothing of it is in the register', () => {
    const { stage, used } = reverted()
    expect(stage.intent(used)).toMatchObject({ step: 'KEEP', nonce: 7, blockNumber: 57, rawTransactions: [hashOf(7)] })
    expect(stage.rows.some(({ key }) => key.batchIndex === used.batchIndex)).toBe(false)
    stage.answer(used, 'SETTLED')
    expect(sizeOf(stage)).toBe(1) // the epoch
  })

  it('behavior: when it is lost, a filler takes it: the call is not made a second time', () => {
    const { stage, used } = reverted()
    stage.answer(used, 'REORGED', placeOf(7))
    expect(stage.intent(used)).toMatchObject({
      step: 'SIGN',
      call: 'FILL',
      nonce: 7,
      delayMs: 0,
      rawTransactions: [RAW],
    })
    stage.answer(used, 'SIGNED', { nonce: 7, rawTransaction: '0xfiller', transactionHash: '0xf' })
    stage.answer(used, 'FILLED', { ...placeOf(7), transactionHash: '0xf' })
    expect(stage.intent(used)).toMatchObject({ step: 'KEEP', rawTransactions: ['0xf'] })
    stage.answer(used, 'REORGED', placeOf(7))
    expect(stage.intent(used)).toMatchObject({ step: 'SEND', call: 'FILL', rawTransactions: [hashOf(7), '0xfiller'] })
  })

  it.each(['FINAL', 'LATE', 'FILLED', 'REVERTED', 'NONCE_TAKEN'] as const)(
    'behavior: whatever took it (%s), it is taken',
    (outcome) => {
      const { stage, used } = reverted()
      stage.answer(used, 'REORGED', placeOf(7))
      stage.answer(used, 'SIGNED', { nonce: 7, rawTransaction: '0xfiller', transactionHash: '0xf' })
      stage.answer(used, outcome, placeOf(7))
      expect(stage.intent(used)).toMatchObject({ step: 'KEEP', nonce: 7 })
    },
  )

  it('behavior: one that somebody else took, nobody knows in which block, is not kept', () => {
    const stage = anchorStage()
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'READY', READY)
    stage.answer(batch, 'SIGNED', { nonce: 7, rawTransaction: RAW })
    stage.answer(batch, 'NONCE_TAKEN', { nonce: 8 })
    expect(stage.intent(nonceKey(SIGNER, 7))).toBeUndefined()
  })

  it('behavior: a gap before ours is filled with transactions to oneself, up to the next of ours', () => {
    const stage = anchorStage()
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'READY', { ...READY, nonce: 9 })
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    for (const nonce of [7, 8])
      expect(stage.intent(nonceKey(SIGNER, nonce))).toMatchObject({
        ...{ step: 'SIGN', attempt: 1, call: 'FILL', nonce, delayMs: 0, maxFeePerGas: '70', maxPriorityFeePerGas: '7' },
      })
    expect(stage.intent(nonceKey(SIGNER, 9))).toBeUndefined()
    const sent = stage.intents.length
    stage.result(nonceKey(SIGNER, 7), unfilled(7)) // told again
    stage.result(nonceKey(SIGNER, 9), unfilled(9)) // ours
    stage.result(nonceKey(SIGNER, 10), unfilled(10)) // not assigned yet
    expect(stage.intents).toHaveLength(sent)
  })

  it('behavior: fillers of a gap pay no more than the cap, whatever the chain asks', () => {
    const stage = anchorStage({ maxFeePerGasMax: '69' })
    const batch = stage.batch(1, 0)
    stage.answer(batch, 'STORED', { cid: 'bafy' })
    stage.answer(batch, 'READY', { ...READY, nonce: 8 })
    stage.result(nonceKey(SIGNER, 7), { ...unfilled(7), maxPriorityFeePerGas: '70' })
    const fees = { maxFeePerGas: '69', maxPriorityFeePerGas: '69' }
    expect(stage.intent(nonceKey(SIGNER, 7))).toMatchObject({ step: 'SIGN', call: 'FILL', gasLimit: 100_000, ...fees })
  })

  it('behavior: only the newest are kept, even if nobody says that they are settled', () => {
    const stage = anchorStage({ noncesKept: 5 })
    const ends: AnchorKey[] = []
    for (let epochId = 1; epochId <= 12; epochId++) {
      const end = stage.summary(epochId, 0)
      ends.push(end)
      stage.answer(end, 'READY', { ...READY, nonce: 0 })
      anchorIt(stage, end)
    }
    stage.summary(13, 0)
    expect(sizeOf(stage)).toBe(5 + 1)
    expect(stage.intent(ends[0]!)).toMatchObject({ step: 'DONE' })
    expect(stage.intent(ends[11]!)).toMatchObject({ step: 'KEEP' })
  })
})

/** So many batches of one epoch, ready for nonces from the one that a node tells the first of them. */
function readyBatches(count: number, told: number, rules = {}) {
  const stage = anchorStage(rules)
  const batches = Array.from({ length: count }, (_, index) => stage.batch(1, index))
  for (const [index, batch] of batches.entries()) {
    stage.answer(batch, 'STORED', { cid: `bafy${index}` })
    stage.answer(batch, 'READY', index === 0 ? { ...READY, nonce: told } : READY)
  }
  return { stage, batches }
}

const NOTHING_SENT = {
  slots: Buffer.of(1),
  eligibleNodes: 1,
  quota: 9,
  contractQuota: 9,
  numberFound: false,
  paid: 0,
  present: 0,
  paidBefore: [],
  leftOut: [],
}
const fillersOf = ({ intents }: AnchorStage) => intents.filter(({ intent }) => intent.call === 'FILL')

describe('a nonce that was a wrong word', () => {
  it('default: far beyond the chain is given back, with all that was assigned behind it; nothing is filled', () => {
    const { stage, batches } = readyBatches(6, 2 ** 31)
    expect(batches.map((batch) => stage.intent(batch)!.nonce)).toEqual(
      [0, 1, 2, 3].map((n) => 2 ** 31 + n).concat(-1, -1),
    )
    const [first, second] = batches
    stage.answer(first!, 'SIGNED', { nonce: 2 ** 31, rawTransaction: RAW, transactionHash: hashOf(1) })
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    expect(fillersOf(stage)).toEqual([])
    for (const batch of batches.slice(0, 4))
      expect(stage.intent(batch)).toMatchObject({ step: 'PREPARE', nonce: -1, rawTransactions: [], delayMs: 0 })
    expect(stage.row(second!)!.error).toBe('nonce 2147483649 was given back: the chain is at 7')
    stage.answer(first!, 'READY', READY)
    stage.answer(second!, 'READY', READY)
    const queued = batches.slice(4)
    expect([...queued, first!, second!].map((batch) => stage.intent(batch)!.nonce)).toEqual([7, 8, 9, 10])
  })

  it('behavior: what waits for a nonce with the same word gets the right one as well', () => {
    const { stage, batches } = readyBatches(5, 2 ** 31, { noncesInFlightMax: 1 })
    const last = batches.at(-1)!
    stage.answer(last, 'READY', { ...READY, nonce: 2 ** 30 })
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    stage.answer(batches[0]!, 'READY', READY)
    expect(stage.intent(batches[1]!)).toMatchObject({ step: 'SIGN', nonce: 7 })
  })

  it('behavior: a gap of sixteen is filled, one of seventeen is given back', () => {
    const filled = readyBatches(1, 7 + 16).stage
    filled.result(nonceKey(SIGNER, 7), unfilled(7))
    expect(fillersOf(filled)).toHaveLength(16)
    const { stage, batches } = readyBatches(1, 7 + 17)
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    expect(fillersOf(stage)).toEqual([])
    expect(stage.intent(batches[0]!)).toMatchObject({ step: 'PREPARE' })
  })

  it('behavior: a node that lies a little each time costs so many fillers, and no more', () => {
    const stage = anchorStage()
    let chain = 0
    for (let epochId = 1; epochId <= 30; epochId++) {
      const end = stage.summary(epochId, 0)
      stage.answer(end, 'READY', { ...READY, nonce: chain + 10 })
      stage.result(nonceKey(SIGNER, chain), unfilled(chain))
      for (const { key, intent } of [...fillersOf(stage)].filter(({ intent }) => intent.nonce >= chain)) {
        if (intent.step !== 'SIGN') continue
        stage.answer(key, 'SIGNED', {
          nonce: intent.nonce,
          rawTransaction: '0xf',
          transactionHash: hashOf(intent.nonce),
        })
        stage.answer(key, 'FILLED', placeOf(intent.nonce))
      }
      if (stage.intent(end)!.step === 'PREPARE') stage.answer(end, 'READY', { ...READY, nonce: chain })
      chain = anchorIt(stage, end) + 1
    }
    expect(fillersOf(stage).filter(({ intent }) => intent.step === 'SIGN')).toHaveLength(60)
    expect(chain).toBe(90)
  })

  it('behavior: fillers that were begun beyond the gap are not needed any more', () => {
    const { stage } = readyBatches(2, 100)
    stage.result(nonceKey(SIGNER, 95), unfilled(95))
    expect(fillersOf(stage)).toHaveLength(5)
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    for (const nonce of [95, 99]) expect(stage.intent(nonceKey(SIGNER, nonce))).toMatchObject({ step: 'DONE' })
    expect(sizeOf(stage)).toBe(1)
  })

  it('behavior: a payout asks anew what the contract lacks, when it is its turn', () => {
    const stage = anchorStage()
    const payout = stage.payout(1, 0)
    stage.answer(payout, 'READY', { ...READY, nonce: 2 ** 31, payout: NOTHING_SENT })
    expect(stage.intent(payout)).toMatchObject({ step: 'SIGN', nonce: 2 ** 31 })
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    expect(stage.intent(payout)).toMatchObject({ step: 'PREPARE', call: 'REWARD', nonce: -1 })
    stage.answer(payout, 'READY', { ...READY, payout: NOTHING_SENT })
    expect(stage.intent(payout)).toMatchObject({ step: 'SIGN', nonce: 7 })
  })

  it('behavior: while one behind it is in a block the word about the gap is the wrong one', () => {
    const { stage, batches } = readyBatches(2, 100)
    stage.answer(batches[0]!, 'SIGNED', { nonce: 100, rawTransaction: RAW, transactionHash: hashOf(100) })
    stage.answer(batches[0]!, 'MINED', placeOf(100))
    const sent = stage.intents.length
    stage.result(nonceKey(SIGNER, 7), unfilled(7))
    expect(stage.intents).toHaveLength(sent)
  })

  it('error: beyond what any account has sent is not followed: no record ends the stage', () => {
    const { stage, batches } = readyBatches(2, Number.MAX_SAFE_INTEGER - 1)
    expect(batches.map((batch) => stage.intent(batch)!.nonce)).toEqual([0, 7])
  })
})

const unfilled = (nonce: number): AnchorResult => ({
  ...{ step: 'DONE', attempt: 0, outcome: 'UNFILLED', cid: '', signer: SIGNER, nonce, gasLimit: 0, maxFeePerGas: '70' },
  ...{ maxPriorityFeePerGas: '7', rawTransaction: '', transactionHash: '', blockNumber: -1, blockHash: '', error: '' },
  attestation: null,
  payout: null,
})
