import type { Role } from '../../../base/roles.ts'
import { type Definition, SECONDS } from '../definition.ts'

const roles = ['anchor-effects'] as const satisfies readonly Role[]

export const STORE_OUTCOMES = ['stored', 'failed', 'mismatch'] as const
export const CHECK_OUTCOMES = ['held', 'missing', 'failed'] as const

const provider = 'name of a configured store: `file`, `kubo` or `pinning` with its host'

/** Metrics of the one process that stores and sends; a process that stands by has none of the gauges. */
export const STORES = {
  ipfsPuts: {
    type: 'counter',
    name: 'seq_ipfs_puts_total',
    help: 'Attempts to store a batch, by store. `mismatch`: it gave another CID, or gave back other bytes.',
    unit: 'attempts',
    roles,
    labels: { provider, outcome: STORE_OUTCOMES },
    use: 'A batch is anchored when `storage.required` stores have it. A mismatch is never anchored.',
  },
  ipfsPutSeconds: {
    type: 'histogram',
    name: 'seq_ipfs_put_seconds',
    help: 'Time to store one batch and to read it back.',
    unit: 'seconds',
    roles,
    labels: { provider: 'as above' },
    buckets: SECONDS,
  },
  storeWorking: {
    type: 'gauge',
    name: 'seq_store_working',
    help: '1 when the newest attempt at the store succeeded, or there was none; 0 while it fails.',
    unit: '1 or 0',
    roles,
    labels: { provider: 'as above' },
    use: '/readyz has the words of the store, at `storage`.',
  },
  storesSpare: {
    type: 'gauge',
    name: 'seq_stores_spare',
    help: 'Stores that work, less the number that must hold a batch (`storage.required`). Below 0 batches wait.',
    unit: 'stores',
    roles,
    use: 'At 0 no other store may fail.',
  },
  storeLacking: {
    type: 'gauge',
    name: 'seq_store_lacking',
    help: 'Batches that the store lacks and others hold; it is given them in the background, one at a time.',
    unit: 'batches',
    roles,
    labels: { provider: 'as above' },
  },
  storeHealed: {
    type: 'counter',
    name: 'seq_store_healed_total',
    help: 'Batches that the store lacked and was given in the background.',
    unit: 'batches',
    roles,
    labels: { provider: 'as above' },
  },
  storeLeftOut: {
    type: 'counter',
    name: 'seq_store_left_out_total',
    help: 'Batches that the store lacks and that are not waited for any more: too many were, or nobody has their bytes.',
    unit: 'batches',
    roles,
    labels: { provider: 'as above' },
    use: 'The next check finds them again (`storage.checkMinutes`); `sequencer batches heal` at once.',
  },
  storeChecks: {
    type: 'counter',
    name: 'seq_store_checks_total',
    help: 'Batches that a store was asked about on the schedule. `missing`: it has lost the batch, or never had it; it is given it again.',
    unit: 'batches',
    roles,
    labels: { provider: 'as above', outcome: CHECK_OUTCOMES },
  },
  storePruned: {
    type: 'counter',
    name: 'seq_store_pruned_total',
    help: 'Batches that a store was told to let go of (`storage.keepDays`).',
    unit: 'batches',
    roles,
    labels: { provider: 'as above' },
  },
} as const satisfies Record<string, Definition>
