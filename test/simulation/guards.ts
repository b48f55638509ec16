/** What keeps the promises, one guard each, and how to take it out of the sources. See docs/simulation.md. */

import { CHAIN_GUARDS } from './chain-guards.ts'

export interface Guard {
  readonly name: string
  /** From the root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  /** What stands there without the guard. */
  readonly replace: string
  /** What the guard is for. */
  readonly why: string
  /** Another guard, by name, that covers for this one: both are taken out. */
  readonly alsoWithout?: string
  /** How many seeds it may take, where the usual number is too few. */
  readonly seeds?: number
  /** Why no seed is expected to find its absence. */
  readonly uncaught?: string
}

const OPEN = 'await this.committer.open()'
const OPENING = `const { starts, restored } = await openTask(
      this.task,
      { log, clock, signal, group, trouble: this.reading, tell: (left) => observer.unreadable?.(left) },
      this.restored,
    )`
const COMMIT = 'await this.writer!.commit({ ...sealed, offsets: { ...sealed.offsets!, membership } })'
const OFFSETS_ONLY = 'this.writer!.commit({ records: [], offsets: { ...sealed.offsets!, membership } })'
const RECORDS_ONLY = 'this.writer!.commit({ records: sealed.records })'

const ENGINE: readonly Guard[] = [
  {
    name: 'older owners are fenced before their offsets and state are read',
    file: 'streams/task-runner.ts',
    find: `${OPEN}\n    ${OPENING}`,
    replace: `${OPENING}\n    ${OPEN}`,
    why: 'else an older owner commits between the reading and the fencing, and its records are processed twice',
    seeds: 500, // the commit must fall between two requests
  },
  {
    name: 'a lost answer is resolved by the offsets in the log',
    file: 'streams/committer.ts',
    find: "'fenced' : compare(sealed, found)",
    replace: "'fenced' : 'aborted'",
    why: 'a burst whose answer was lost may be in the log already',
  },
  {
    name: 'a lost answer is not taken for a commit',
    file: 'streams/committer.ts',
    find: "'fenced' : compare(sealed, found)",
    replace: "'fenced' : 'committed'",
    why: 'a burst whose answer was lost may not be in the log',
  },
  {
    name: 'a new writer resolves the transaction that the lost one left',
    file: 'streams/committer.ts',
    find: 'await this.close().catch(() => {}) // it failed already\n    try {\n      await this.open()\n',
    replace: 'try {\n',
    why: 'a late commit may still arrive after the offsets were compared',
  },
  {
    name: 'a fenced task is dropped',
    file: 'streams/committer.ts',
    find: "if (resolved === 'fenced') return false",
    replace: "if (resolved === 'fenced') return true",
    why: 'its burst is not in the log, and what it holds in memory is no longer true',
  },
  {
    name: 'a commit carries the generation of the group',
    file: 'streams/committer.ts',
    find: 'offsets: { ...sealed.offsets!, membership }',
    replace: 'offsets: sealed.offsets!',
    why: 'a member that lost the partition must not write for it, even before the new owner has come',
    uncaught:
      'the next owner opens its own writer before it reads anything, which fences the late one all the same; the generation only spares work in vain',
  },
  {
    name: 'an answer is taken only for the position asked for',
    file: 'streams/task-runner.ts',
    find: ' || this.fetchPositions.get(topic) !== askedFrom) return true',
    replace: ') return true',
    why: 'an answer that took long would be processed again',
    uncaught:
      'the runtime has one fetch under way at a time and no position moves meanwhile; the next two lines refuse what is old anyway',
  },
  {
    name: 'an answer that ends before the position changes nothing',
    file: 'streams/task-runner.ts',
    find: 'if (next <= askedFrom) return true',
    replace: '',
    why: 'the position would go back, and what lies between would be processed again',
  },
  {
    name: 'records below the position are left out',
    file: 'streams/task-runner.ts',
    find: 'const fresh = freshRecords(records, askedFrom)',
    replace: 'const fresh = freshRecords(records, 0)',
    why: 'an old answer that comes again begins below the position',
  },
  {
    name: 'outputs and offsets are one transaction: outputs first',
    file: 'streams/committer.ts',
    find: COMMIT,
    replace: `await ${RECORDS_ONLY}.then((first) => (first.outcome === 'committed' ? ${OFFSETS_ONLY} : first))`,
    why: 'between the two a crash has the input processed twice',
    alsoWithout: 'the offsets in the changelog are restored',
  },
  {
    name: 'outputs and offsets are one transaction: offsets first',
    file: 'streams/committer.ts',
    find: COMMIT,
    replace: `await ${OFFSETS_ONLY}.then((first) => (first.outcome === 'committed' ? ${RECORDS_ONLY} : first))`,
    why: 'between the two a crash loses the outputs',
  },
  {
    name: 'the offsets in the changelog are restored',
    file: 'streams/task-opening.ts',
    find: 'engine?.offsets?.[topic] ?? 0',
    replace: '0',
    why: 'an old broker may answer committed offsets that are behind the state',
  },
  {
    name: 'the offsets in the changelog resolve a lost answer too',
    file: 'streams/committer.ts',
    find: 'logged?.[topic] ?? -1',
    replace: '-1',
    why: 'the same broker may answer so when a burst is looked for',
  },
  {
    name: 'the changelog is restored before anything is processed',
    file: 'streams/task-opening.ts',
    find: 'const records = await restore(task, ports, restored, inputs)',
    replace: 'const records = 0',
    why: 'a task that moves would forget votes, quotas and the messages that it has seen',
  },
  {
    name: 'the rows of a scope are dropped from the changelog with it',
    file: 'streams/state.ts',
    find: "for (const name of this.dropped.keys()) write(name, scopedKey(DROP, name, ''), null)",
    replace: '',
    why: 'a restored task would hold rows that were dropped, and decide them again',
  },
  {
    name: 'a changelog is purged only before its oldest live scope',
    file: 'streams/state.ts',
    find: 'if (logged) oldest = Math.min(oldest, firstOffset ?? 0)',
    replace: '{}',
    why: 'a purged record cannot be restored',
  },
  {
    name: 'a dropped scope holds the purge until the drop is committed',
    file: 'streams/state.ts',
    find: 'Math.min(this.end, ...this.dropped.values())',
    replace: 'this.end',
    why: 'a crash before the commit brings the scope back',
    seeds: 400, // the drop, a purge and a crash between two commits: rare
  },
  {
    name: 'input is purged only up to the committed position',
    file: 'streams/task-runner.ts',
    find: 'offset: this.task.committedPositionOf(name)',
    replace: 'offset: this.task.positionOf(name)',
    why: 'uncommitted records are processed again by the next owner',
  },
  {
    name: 'the votes of an epoch are dropped at its close',
    file: 'topology/consensus/consensus.ts',
    find: 'votes.dropScope(scope)',
    replace: '',
    why: 'state is bounded by the open epochs',
  },
  {
    name: 'a marker waits for all its senders',
    file: 'streams/alignment.ts',
    find: 'if (all.seen.length < of) return false',
    replace: '',
    why: 'an epoch would close over records that the slower senders still have to send',
  },
  {
    name: 'a marker waits for all its senders, with nothing counted',
    file: 'streams/alignment.ts',
    find: 'if (all.seen.length < of) return false',
    replace: '',
    why: 'shows that the audit finds it without the counts, too',
    alsoWithout: 'counts and checksums of a scope are compared',
  },
  {
    name: 'the batch stage waits for all consensus tasks',
    file: 'streams/alignment.ts',
    find: 'if (all.seen.length < of) return false',
    replace: "if (all.seen.length < of && !this.topic.endsWith('finalizations')) return false",
    why: 'projects of the slower tasks would be missing from the batches',
    alsoWithout: 'counts and checksums of a scope are compared',
  },
  {
    name: 'a marker that comes twice from one sender counts once',
    file: 'streams/alignment.ts',
    find: 'if (all.seen.includes(from)) return false',
    replace: '',
    why: 'two from one sender are not two senders',
    uncaught: 'exactly-once lets no marker come twice; the line is there for a log that is not',
  },
  {
    name: 'counts and checksums of a scope are compared',
    file: 'streams/alignment.ts',
    find: 'if (counts[0] !== count || checksums[0] !== checksum)',
    replace: 'if (counts.length < 0)',
    why: 'it notices every record that another fault lost or doubled, before an epoch closes over it',
    uncaught: 'by itself it changes nothing; it is the first to notice many of the others',
  },
  {
    name: 'a marker is processed after the slot table has reached its offset',
    file: 'streams/runtime.ts',
    find: 'await this.table(topic).reached(offset)',
    replace: 'this.table(topic)',
    why: 'ownership would depend on how far the table happened to be read',
  },
  {
    name: 'a task opens only when its tables are as new as the last owner’s',
    file: 'streams/task-runner.ts',
    find: 'tableCurrent(name, signal)',
    replace: 'undefined',
    why: 'the marker that named the offset is behind it: nobody waits for the table again',
  },
]

const TOPOLOGY: readonly Guard[] = [
  {
    name: 'a block that comes again makes no second marker',
    file: 'topology/tick-fanout/tick-chain.ts',
    find: "if (!known || known.hash === blockHash) return 'duplicate'",
    replace: "if (!known || known.hash === blockHash) return 'accepted'",
    why: 'the clock writes ticks at least once',
  },
  {
    name: 'an epoch opens once and closes once',
    file: 'topology/tick-fanout/tick-chain.ts',
    find: "if (state === 'CLOSED' || (state === 'OPEN' && kind === 'OPEN')) return 'duplicate'",
    replace: '',
    why: 'the clock writes ticks at least once',
  },
  {
    name: 'ticks above a missing block wait for it',
    file: 'topology/tick-fanout/tick-fanout.ts',
    find: 'if (!chain.isAhead(tick)) return drained',
    replace: 'if (chain) return drained',
    why: 'else they are refused, and their epochs never open or close',
  },
  {
    name: 'an epoch whose release left the chain opens anew',
    file: 'topology/tick-fanout/tick-chain.ts',
    find: 'book.awaitReleasesFrom(blockNumber)',
    replace: '',
    why: 'its release comes again in another block, and is no repetition',
  },
  {
    name: 'an epoch that opens late takes headers since its release',
    file: 'topology/validate/chain-view.ts',
    find: "state: 'OPEN', releaseBlock, closeBlock: 0",
    replace: "state: 'OPEN', releaseBlock: heads.get(HEAD_KEY)!.number, closeBlock: 0",
    why: 'the clock may find a release some blocks later, and votes that came meanwhile count',
  },
  {
    name: 'the signer owns the slot',
    file: 'topology/validate/judge.ts',
    find: 'if (slot.owner !== signer)',
    replace: 'if (slot.owner === signer.toUpperCase())',
    why: 'one slot, one voice',
  },
  {
    name: 'a slot is its owner’s as of the release of the epoch',
    file: 'topology/validate/ownership.ts',
    find: 'sinceBlock <= blockNumber && sinceFork',
    replace: '(sinceBlock <= blockNumber || blockNumber >= 0) && sinceFork',
    why: 'the table may be ahead of the markers, by as much as it likes',
  },
  {
    name: 'a late submission is refused after the marker',
    file: 'topology/validate/judge.ts',
    find: "if (window?.state === 'CLOSED')",
    replace: "if (window?.state === 'CLOSED' && epochId < 0)",
    why: 'the place of the marker decides which submissions are in time',
  },
  {
    name: 'a submission that waits for its epoch is let in when the epoch opens',
    file: 'topology/validate/validate.ts',
    find: '(awaited <= epochId || cameTooEarly(',
    replace: '(awaited < epochId || cameTooEarly(',
    why: 'every submission gets its verdict',
  },
  {
    name: 'a copy of a waiting submission does not wait',
    file: 'topology/validate/validate.ts',
    find: "return [refuse({ chain }, submission, 'DUPLICATE', duplicateOf(first.submission))]",
    replace: 'return []',
    why: 'it would take the place of the first, and one of them would have no verdict',
  },
  {
    name: 'the same digest counts once',
    file: 'topology/admit/admit.ts',
    find: 'if (known) {',
    replace: 'if (known && known.slotId < 0) {',
    why: 'an intake that got no answer appends again; anybody can repeat messages that others signed',
  },
  {
    name: 'a refused digest stays refused',
    file: 'topology/admit/admit.ts',
    find: 'store.put(scope, keyOf(seat, digest), keep(scope, seat, true))',
    replace: 'store.delete(scope, keyOf(seat, digest))',
    why: 'a copy of it is a DUPLICATE, in any order of arrival',
  },
  {
    name: 'the quota goes by arrival as the records tell it',
    file: 'topology/admit/admit.ts',
    find: 'bySeat(newcomer, last!) > 0',
    replace: 'bySeat(newcomer, last!) > Number.NEGATIVE_INFINITY',
    why: 'which message comes first at a task depends on partitions and speed',
  },
  {
    name: 'a submission that loses its seat is withdrawn from the vote',
    file: 'topology/admit/admit.ts',
    find: 'return [comesIn, withdraw(key, last!), ',
    replace: 'return [comesIn, ',
    why: 'it was told RATE_LIMITED and must not vote',
  },
  {
    name: 'the highest deadline of a slot stands',
    file: 'topology/consensus/consensus.ts',
    find: 'if (!before || submission.deadline > before.deadline)',
    replace: 'if (!before)',
    why: 'a slot may correct itself, by its signature and not by arrival',
  },
  {
    name: 'the first of equal deadlines by arrival stands',
    file: 'topology/consensus/consensus.ts',
    find: 'of submissions.toSorted(inOrder)',
    replace: 'of submissions',
    why: 'the order in which a task got them is chance',
  },
  {
    name: 'headers are checked again at the close',
    file: 'topology/consensus/consensus.ts',
    find: 'if (submission.contested || headers.has(submission.header))',
    replace: 'if (headers)',
    why: 'the block may have left the chain since',
  },
  {
    name: 'owners have room for the epochs that a late clock has not told',
    file: 'topology/validate/early.ts',
    find: 'market.epochsAhead + 1 + released)',
    replace: 'market.epochsAhead + 1 + 0 * released)',
    why: 'a vote that came in its window counts, however late the ticks are',
  },
  {
    name: 'a submission that waits in vain gets its verdict when a later epoch opens',
    file: 'topology/validate/validate.ts',
    find: '|| cameTooEarly(awaited, arrivedFrom, marker.tick, market)',
    replace: '|| (cameTooEarly(awaited, arrivedFrom, marker.tick, market) && awaited < 0)',
    why: 'every submission gets its verdict, and its place is free again',
  },
  {
    name: 'a deadline is measured by when the submission came',
    file: 'topology/consensus/consensus.ts',
    find: 'if (submission.deadline < passed) {',
    replace: 'if (submission.deadline < passed && passed < 0) {',
    why: 'the signer says until when it may be taken',
  },
  {
    name: 'ties go by the hash of the closing block',
    file: 'topology/consensus/consensus.ts',
    find: 'ranked.sort((a, b) => Buffer.compare(a.rank, b.rank))',
    replace: 'ranked',
    why: 'else the first to arrive wins',
  },
  {
    name: 'only the owner of an epoch batches it',
    file: 'topology/batch/batch.ts',
    find: 'if (!context.owns(topics.finalizations.key.encode({ dataMarket, epochId })))',
    replace: 'if (!context)',
    why: 'the marker reaches every task',
  },
]

const ANCHOR: readonly Guard[] = [
  {
    name: 'answers of earlier attempts are ignored',
    file: 'topology/anchor/anchor-transitions.ts',
    find: 'if (result.attempt !== at.attempt || result.step !== at.step) return at',
    replace: '',
    why: 'the connector answers at least once, and may answer late',
  },
  {
    name: 'a nonce is never used for two contents',
    file: 'topology/anchor/anchor-queue.ts',
    find: 'Math.max(nonces.get(signer)?.next ?? 0, chainNonce > NONCE_MAX ? 0 : chainNonce)',
    replace: '(chainNonce > NONCE_MAX ? 0 : chainNonce)',
    why: 'the chain does not know yet a transaction that is signed and not mined',
  },
  {
    name: 'a nonce once assigned is used',
    file: 'topology/anchor/anchor-transitions.ts',
    find: 'SIGNING: { SIGNED: signed, FAILED: fill },\n  SENDING: sent,',
    replace: 'SIGNING: { SIGNED: signed, FAILED: nonceTaken },\n  SENDING: sent,',
    why: 'every later one would wait for ever',
  },
  {
    name: 'a transaction that a reorganisation took out is sent again',
    file: 'topology/anchor/anchor-transitions.ts',
    find: 'MINED: { ...sent, REORGED: reorged }',
    replace: 'MINED: sent',
    why: 'nothing else brings it back',
  },
  {
    name: 'a transaction that was final and left the chain is sent again',
    file: 'topology/anchor/anchor-transitions.ts',
    find: 'FINAL: { ATTESTED: attested, DIVERGED: diverged, SETTLED: settled, REORGED: takenBack }',
    replace: 'FINAL: { ATTESTED: attested, DIVERGED: diverged, SETTLED: settled }',
    why: 'its nonces would be a gap for ever',
  },
  {
    name: 'an ending that was lost with its batches waits for them',
    file: 'topology/anchor/anchor-endings.ts',
    find: "result.outcome === 'REORGED' && isEnding(before.key) && !batchesEnded(before)",
    replace: "result.outcome === 'STORED' && isEnding(before.key) && !batchesEnded(before)",
    why: 'a batch that needs another nonce would come after it',
  },
  {
    name: 'an ending that is not final is held back when a batch is lost',
    file: 'topology/anchor/anchor.ts',
    find: 'if (hasEnded(before) && !hasEnded(after)) endings.hold(after)',
    replace: '',
    why: 'likewise',
  },
  {
    name: 'nonces that somebody else lost are filled',
    file: 'topology/anchor/anchor.ts',
    find: "if (!before && isNonceOnly(key) && result.outcome === 'UNFILLED') goOnBehindGap(key, result)",
    replace: '',
    why: 'somebody else used the key, and the chain lost that',
  },
  {
    name: 'an epoch ends only after its batches',
    file: 'topology/anchor/anchor-endings.ts',
    find: 'if (!batch || !hasEnded(batch)) return false',
    replace: '',
    why: 'the contract takes no batch after it',
  },
  {
    name: 'an epoch ends only when its batches are final',
    file: 'topology/anchor/anchor-endings.ts',
    find: 'if (!batch || !hasEnded(batch)) return false',
    replace: "if (!batch || (batch.phase !== 'MINED' && !hasEnded(batch))) return false",
    why: 'a reorganisation may take a mined batch out again, and a batch that then needs a new nonce gets a later one',
  },
  {
    name: 'a batch is planned once',
    file: 'topology/anchor/anchor.ts',
    find: 'if (read(key)) return',
    replace: '',
    why: 'a batch that came again would begin from the start',
    uncaught: 'exactly-once lets no batch come twice; the line is there for a log that is not',
  },
]

/** Noticed by the runs with an adversary. */
const HOSTILE: readonly Guard[] = [
  {
    name: 'the highest signed deadlines have the seats',
    file: 'topology/admit/admit.ts',
    find: 'b.deadline - a.deadline || byArrival(a, b)',
    replace: 'byArrival(a, b)',
    why: 'votes for a release that left the chain give way to those for the next one',
  },
  {
    name: 'an owner that signs too many has none that count',
    file: 'topology/admit/admit.ts',
    find: 'if (owner.seated.length + owner.refused.size === quota.signedMax) {',
    replace: 'if (owner.seated.length + owner.refused.size < 0) {',
    why: 'memory has a bound, and which messages are told apart must not depend on the order of arrival',
  },
  {
    name: 'the digest decides between equal arrivals',
    file: 'topology/admit/admit.ts',
    find: '|| byText(a.digest, b.digest)',
    replace: '',
    why: 'the sender chooses id and moment; else the order of the partitions decides',
  },
  {
    name: 'every owner has places of its own in the waiting room',
    file: 'topology/validate/waiting-room.ts',
    find: 'const ownerKey = (scope: string, { signer, submission }: ParkedSubmission): string =>',
    replace:
      "const ownerKey = (scope: string, _: ParkedSubmission, signer = '', submission = { slotId: 0 }): string =>",
    why: 'else one slot fills the places of the others',
  },
  {
    name: 'waiting submissions are told apart by digest and signer',
    file: 'topology/validate/waiting-room.ts',
    find: 'const keyOf = ({ submission, signer }: Waiting): string =>',
    replace: "const keyOf = ({ submission }: Waiting, signer = ''): string =>",
    why: 'anybody can sign a message that another has signed, and be first',
  },
  {
    name: 'a message that came with two headers is judged by neither',
    file: 'topology/consensus/consensus.ts',
    find: 'if (submission.contested || headers.has(submission.header))',
    replace: 'if (headers.has(submission.header))',
    why: 'the header is not signed: a copy with another one, sent first, would take the vote away',
  },
  {
    name: 'texts are judged before anything else',
    file: 'topology/validate/validate.ts',
    find: 'if (fault) return',
    replace: 'if (fault && !market) return',
    why: 'texts that are too long or not printable go into batches and on terminals',
  },
  {
    name: 'a signature is hex digits and nothing else',
    file: 'topology/shared/signature.ts',
    find: 'const SIGNATURE = /^[0-9a-fA-F]{130}$/',
    replace: "const SIGNATURE = { test: (hex: string) => Buffer.from(hex, 'hex').length === SIGNATURE_BYTES }",
    why: 'a lenient reader takes signatures that every verifier of the batch refuses',
  },
  {
    name: 'the signature with the lower s is taken',
    file: 'topology/shared/signature.ts',
    find: 'if (Buffer.compare(lowS, LOW_S_MAX) > 0)',
    replace: 'if (lowS.length < 0)',
    why: 'anybody can make the other one, and a digest has one form (EIP-2)',
  },
  {
    name: 'the signed content decides between equal arrivals in a project',
    file: 'topology/consensus/consensus.ts',
    find: 'byArrival(a, b) ||\n  a.slotId - b.slotId ||\n  a.deadline - b.deadline ||\n  byText(a.snapshotCid, b.snapshotCid) ||\n  byText(a.signature, b.signature)',
    replace: 'byArrival(a, b)',
    why: 'the sender chooses id and moment; else the order of the partitions decides which CID stands',
  },
  {
    name: 'a project counts in its own market',
    file: 'topology/validate/form.ts',
    find: 'takesProject(patterns, projectId)\n',
    replace: 'takesProject([], projectId)\n',
    why: 'the market is not signed: a signature for one would count in the other',
  },
  {
    name: 'a copy that came later is not refused as early because the first was',
    file: 'topology/validate/waiting-room.ts',
    find: 'const arrivedAt = Math.max(first.arrivedAt, copy.arrivedAt)',
    replace: 'const { arrivedAt } = first',
    why: 'an attacker who repeats a message with an earlier time of arrival would have it refused',
    seeds: 700, // an early copy, one place in the log before the message, two releases before its epoch
  },
  {
    name: 'a record is judged in the partition of its key only',
    file: 'topology/validate/validate.ts',
    find: 'if (!state.owns(dataMarket, received))',
    replace: 'if (!state.owns)',
    why: 'chance would decide which of two copies in two partitions is the first',
  },
  {
    name: 'a marker in submissions is signed',
    file: 'streams/marker-guard.ts',
    find: "throw new ForgedMarkerError('a marker without a signature')",
    replace: 'return',
    why: 'everybody who may write submissions could close the epochs of all',
  },
  {
    name: 'the signature of a marker holds for its record and partition',
    file: 'topology/shared/marker-seals.ts',
    find: 'if (!verify(null, signedBytes(marker, place), key, signature))',
    replace: 'if (signature.length === 0)',
    why: 'the header of one marker would do for any other',
  },
  {
    name: 'a marker is taken once',
    file: 'streams/marker-guard.ts',
    find: 'if (seal.offset < offset || (seal.offset === offset && seal.index <= index))',
    replace: 'if (seal.offset < 0)',
    why: 'a copy of a good marker has a good signature',
  },
]

export const GUARDS: readonly Guard[] = [...ENGINE, ...TOPOLOGY, ...HOSTILE, ...ANCHOR, ...CHAIN_GUARDS]
