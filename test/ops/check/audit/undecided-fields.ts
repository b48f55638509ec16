/** Topics of which the audit looks only whether each record can be read: what matters of them is recomputed, or lies in others. */
export const NOT_READ: Readonly<Record<string, string>> = {
  validated: 'on the way from one stage to the next; what comes of it is recomputed',
  admitted: 'on the way from one stage to the next; what comes of it is recomputed',
  anchorIntents: 'what the connector is asked to do; gone when it is done',
}

/** Fields whose alteration the audit does not tell, and why. */
export const NOT_TOLD: readonly (readonly [fields: RegExp, why: string])[] = [
  [
    /^anchorResults\.\w+\.(signer|nonce|gasLimit|maxFeePerGas|maxPriorityFeePerGas|rawTransaction|error)$/,
    'no row of anchors repeats it',
  ],
  [
    /^anchorResults\.\w+Payout\.cid$|^anchorResults\.(READY|SIGNED|MINED|FINAL)\.cid$/,
    'empty there; a result that says more than its row is no fault',
  ],
  [
    /^anchorResults\.(STORED|(READY|ALREADY_ANCHORED)(\w*Payout)?)\.transactionHash$/,
    'empty there; a result that says more than its row is no fault',
  ],
  [
    /^anchorResults\.(STORED|(READY|SIGNED|ALREADY_ANCHORED)(\w*Payout)?)\.block(Number|Hash)$/,
    'empty there; a result that says more than its row is no fault',
  ],
  [
    /^anchorResults\.(SIGNED|MINED|FINAL)(\w*Payout)?\.transactionHash$|^anchorResults\.(MINED|FINAL)(\w*Payout)?\.block(Number|Hash)$/,
    'another result of the same transaction says it, too',
  ],
  [
    /^anchorResults\.\w+\.attempt$/,
    'that of the row lies within those of the others; without the first attempt, results count as expired',
  ],
  [
    /^anchorResults\.(READY|ALREADY_ANCHORED)Payout\.payout\.quota$/,
    'of a call that pays nobody; where one pays, its row repeats it',
  ],
  [
    /^anchorResults\.(READY|ALREADY_ANCHORED)\w*Payout\.payout\.contractQuota$/,
    'decides whether the contract is asked anew; neither the call nor its row repeats it',
  ],
  [/^payments\.\w+\.error$/, 'the last failure in words'],
  [/^tallies\.CLOSE\.(from|of|count|checksum|blockTimes)$/, 'how the engine counts markers'],
  [/^anchors\.error$/, 'the last failure in words'],
  [/^anchors\.nonce$/, 'compared with the signed transaction; those of this scenario are none'],
  [/^batches\.(sizeBytes|part|parts)$/, 'say how a batch lies in records; its bytes are compared'],
  [/^finalizations\./, 'not compared: what comes of them, verdicts and batches, is recomputed from the submissions'],
  [/^slots\.slotId$/, 'the key says it, too, and counts'],
  [/^submissions\.\w+\.(from|of|count|checksum)$/, 'how the engine counts markers'],
  [
    /^submissions\.(contested|fullNode|headerBlock|signer|digest|position)$/,
    'filled by validate in its output, empty in its input',
  ],
  [/^submissions\.receivedAt$/, 'decides the order and the deadline; a millisecond changes neither here'],
  [/^verdicts\.(actual|expected|rule)$/, 'texts; not recomputed'],
  [/^verdicts\.blockNumber$/, 'recomputed for what the close decides, not for what was refused before'],
]
