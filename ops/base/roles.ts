/** The roles of the sequencer: its stages, and the connectors around them. A process runs any set of them. */

/** Stages of the topology, each a consumer group of its own; a test compares the names with the graph. */
export const STAGES = ['tick-fanout', 'validate', 'admit', 'consensus', 'settle', 'batch', 'ledger', 'anchor'] as const

/** Nothing is built on what they write, so they let the way to the chain go first. */
export const BACKGROUND_STAGES: readonly Stage[] = ['settle', 'ledger']

/** In the order in which they start; they close in the opposite one, so the intake stops before what it feeds. */
export const CONNECTORS = ['anchor-effects', 'clock', 'intake', 'api'] as const

export type Stage = (typeof STAGES)[number]
export type Connector = (typeof CONNECTORS)[number]
export type Role = Stage | Connector

export const ROLES: readonly Role[] = [...CONNECTORS, ...STAGES]

export const ROLE_HELP = {
  intake: 'takes submissions over libp2p. Any number of processes',
  clock: 'turns blocks into ticks and follows the slots. One works, others stand by',
  'anchor-effects':
    'stores batches and sends transactions; the only role with the account’s key. One works, others stand by',
  api: 'answers look-ups over HTTP and measures epochs. Any number of processes',
  'tick-fanout': 'puts each tick into every partition of submissions. One task',
  validate: 'checks signature, slot, epoch and header. A task per partition of submissions',
  admit: 'refuses duplicates, limits each slot. A task per partition of validated',
  consensus: 'counts votes, finds each project’s CID. A task per partition of admitted',
  settle: 'writes the verdicts of a closed epoch. A task per partition of finalizations',
  ledger: 'counts the submissions of each slot and day, and says what is to be paid. A task per partition of tallies',
  batch: 'packs finalized projects into batches. A task per partition of finalizations',
  anchor: 'decides what is sent to the chain, and when. One task',
} as const satisfies Record<Role, string>

export const isStage = (role: Role): role is Stage => (STAGES as readonly Role[]).includes(role)

/** Roles whose records count only with a seal, so that they need the key for it (decision 0045). */
export const SEALING: readonly Role[] = ['clock', 'tick-fanout', 'batch', 'ledger', 'anchor', 'anchor-effects']

/** The group with the clock's cursors. */
export const clockCursorGroup = (appId: string): string => `${appId}-clock`

/** The group that chooses which process is the clock. */
export const clockGroup = (appId: string): string => `${appId}-clock-holder`
