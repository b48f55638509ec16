/** The guards of the connectors to the chain, as guards.ts has the others. */
import type { Guard } from './guard.ts'

/** Noticed by the runs with a real clock. */
export const CHAIN_GUARDS: readonly Guard[] = [
  {
    name: 'releases are held against the contract’s count',
    file: 'connectors/evm/clock/release-check.ts',
    find: 'if (counted > newest) throw new LogsIncomplete',
    replace: 'if (counted < 0) throw new LogsIncomplete',
    why: 'logs that come after their block would skip the epoch in silence',
  },
  {
    name: 'a gap between releases is looked up in the contract',
    file: 'connectors/evm/clock/release-check.ts',
    find: 'if (epochId > before + 1) await expectSkipped(ask, market, before, epochId)\n  await expectNoneBefore(ask, market, header, before)',
    replace: '',
    why: 'a release that the logs lack would be taken for one that the owner of the market skipped',
    seeds: 400, // two releases in one step, and the logs of the first are late
  },
  {
    name: 'the epochs that the owner of a market skipped are told in the tick',
    file: 'connectors/evm/clock/release-check.ts',
    find: 'skippedFrom: before === 0 ? 0 : before + 1',
    replace: 'skippedFrom: 0 * before',
    why: 'no epoch is missing without a word',
  },
  {
    name: 'an epoch that is released once more opens nothing',
    file: 'connectors/evm/clock/openings.ts',
    find: ' && !kinds.get(one)?.isRepeated',
    replace: '',
    why: 'forceSkipEpoch to the end that the market is at releases the same epoch again',
  },
  {
    name: 'the registry of slots is read as of each step',
    file: 'connectors/evm/clock/chain-steps.ts',
    find: 'const { headers, before, nodes, isSaid } = await registryOf(ask, protocolState, offer, anyState, notSaid)',
    replace:
      'const { before, isSaid, ...read } = await registryOf(ask, protocolState, offer, anyState, notSaid)\n  const [headers, nodes] = [offered, facts.nodes ?? read.nodes]',
    why: 'the owner of the contract can name another one, and no event tells it',
  },
  {
    name: 'the block that names another registry is a step by itself',
    file: 'connectors/evm/clock/registry-check.ts',
    find: 'before === nodes || anyState)',
    replace: 'before.length > 0)',
    why: 'slots are the old owners’ up to that block, and the new ones’ from it on',
  },
  {
    name: 'slots that the new registry does not have are nobody’s',
    file: 'connectors/evm/clock/clock.ts',
    find: 'return [...slots, ...slotsGone(session.slots, slots)]',
    replace: 'return slots',
    why: 'their former owners would go on voting',
  },
  {
    name: 'blocks, epochs and counts need enough nodes that agree',
    file: 'connectors/evm/agreed-readings.ts',
    find: "  if (step.kind === 'idle') return undefined",
    replace: "  if (step.kind !== 'reorg') return undefined",
    why: 'one node alone could open an epoch, or close it with hashes of its own',
  },
  {
    name: 'a block has left the chain when enough nodes say so',
    file: 'connectors/evm/agreed-readings.ts',
    find: "if (step.kind === 'reorg') return `without block",
    replace: "if (step.kind === 'reorg') return undefined && `without block",
    why: 'one node alone could take epochs back',
    seeds: 400, // the one that lies about it must be asked first, and be asked for nothing else before
  },
  {
    name: 'owners of slots need enough nodes that agree',
    file: 'connectors/evm/agreed-readings.ts',
    find: 'textOf: (slots) => JSON.stringify(slots)',
    replace: 'textOf: () => undefined',
    why: 'one node alone could give a slot to somebody else',
  },
  {
    name: 'the outcome of a transaction needs enough nodes that agree',
    file: 'connectors/evm/agreed-readings.ts',
    find: '    textOf: textOfReceipt,',
    replace: '    textOf: () => undefined,',
    why: 'one node alone could call a batch anchored that is not',
  },
  {
    name: 'a known block that was replaced is taken back',
    file: 'connectors/evm/clock/chain-steps.ts',
    find: 'if (isKnown && same && same.hash !== newest.hash) return reorg(ask, chain, head, options)',
    replace: '',
    why: 'the blocks on top of it have another parent',
    uncaught: 'the parent of the next block is compared as well, and tells the same one block later',
  },
  {
    name: 'a block follows the newest one that has ticks',
    file: 'connectors/evm/clock/chain-steps.ts',
    find: 'if (isKnown && headers[0]!.parentHash !== newest.hash) return reorg(ask, chain, head, options)',
    replace: '',
    why: 'the chain may go back between two readings',
    uncaught: 'the newest block is asked for first and a node of these runs answers all of one reading at one moment',
  },
  {
    name: 'rows of slots whose blocks got no ticks are taken back',
    file: 'connectors/evm/clock/clock-log.ts',
    find: 'if (newest) await this.writeSlots(this.slots.goOnFrom(newest.number, this.known.forks))',
    replace: 'if (newest) this.known = { ...this.known, forks: this.slots.forks }',
    why: 'a clock that dies between the rows and the ticks may find another block in their place',
    uncaught:
      'a change of owners comes again in the same block, so the rows that are written anew are the same; the clock’s own tests have others',
  },
  {
    name: 'a change of owners counts as long as no marker has told that its block left the chain',
    file: 'topology/validate/ownership.ts',
    find: '(untilFork === 0 || forks < untilFork)',
    replace: 'untilFork === 0',
    why: 'the table may be ahead of the markers by a reorganisation, too',
    seeds: 400, // the owner must change in a block that leaves the chain, and somebody be judged by it meanwhile
  },
  {
    name: 'a change after a reorganisation counts only behind its marker',
    file: 'topology/validate/ownership.ts',
    find: 'sinceFork <= forks &&',
    replace: 'sinceFork >= 0 &&',
    why: 'the new blocks may be no higher than the blocks that are still to be judged by',
    uncaught:
      'a change of owners comes again in the same block, where it was before; the tests of the table and of validate have others',
  },
  {
    name: 'a batch of an epoch that another sequencer ended is given up',
    file: 'topology/anchor/anchor-transitions.ts',
    find: "const PERMANENT = ['E23', 'E24', 'E25', 'E43']",
    replace: "const PERMANENT = ['E23', 'E24', 'E25']",
    why: 'it would be tried for long, and the ending waits for it',
    uncaught: 'it is tried some times more, and then given up with the same code: only time is lost',
  },
  {
    name: 'an epoch that another sequencer ended has ended',
    file: 'topology/anchor/anchor-transitions.ts',
    find: 'const prepared = { READY: ready, ALREADY_ANCHORED: final,',
    replace: 'const prepared = { READY: ready, ALREADY_ANCHORED: fail,',
    why: 'it makes no difference whose call it was',
  },
]
