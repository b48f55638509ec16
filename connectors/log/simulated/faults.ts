/** The faults of a simulation. Probabilities are per request, mean times in ms of simulated time; 0 = never. */
export interface Faults {
  /** Longest way of a request to the log, or of its answer. */
  readonly latencyMsMax: number
  /** A commit is refused after its records were written: they leave a hole. */
  readonly abortedCommit: number
  /** A commit or append is applied, and its answer lost: `unknown`, or an indefinite error. */
  readonly lostAnswer: number
  /** A commit or append is lost on its way: `unknown` as well. A lost commit may still arrive much later. */
  readonly lostRequest: number
  /** Any other request, or an append, is refused with a retriable error and without effect. */
  readonly refusedRequest: number
  /** A partition's answer in a fetch repeats the answer of an earlier fetch, with records below the position asked for. */
  readonly repeatedFetch: number
  /** A partition's answer in a fetch begins with the records of the one before, below the position asked for. */
  readonly overlappingFetch: number
  /** A group's offset is answered as it was before its last commit (an old broker, while that commit spreads). */
  readonly staleOffset: number
  /** Some spawned instance dies: none of its promises settles any more. It is started again up to `restartMsMax` later. */
  readonly crashEveryMs: number
  readonly restartMsMax: number
  /** Some spawned instance stands still up to `pauseMsMax`, and goes on with what it had in hand (a zombie). */
  readonly pauseEveryMs: number
  readonly pauseMsMax: number
  /** Some group begins a new generation. */
  readonly rebalanceEveryMs: number
  /** A member that is not heard for so long is thrown out of its groups. */
  readonly sessionTimeoutMs: number
  /** A transaction open for so long is aborted. */
  readonly transactionTimeoutMs: number
  /** How long a caller waits for a lost answer. */
  readonly requestTimeoutMs: number
}

export const noFaults: Faults = {
  latencyMsMax: 0,
  abortedCommit: 0,
  lostAnswer: 0,
  lostRequest: 0,
  refusedRequest: 0,
  repeatedFetch: 0,
  overlappingFetch: 0,
  staleOffset: 0,
  crashEveryMs: 0,
  restartMsMax: 2_000,
  pauseEveryMs: 0,
  pauseMsMax: 8_000,
  rebalanceEveryMs: 0,
  sessionTimeoutMs: 3_000,
  transactionTimeoutMs: 10_000,
  requestTimeoutMs: 1_000,
}

/** All that a user of the port must expect, often enough that a run of some simulated minutes meets each of them. */
export const everyFault: Faults = {
  ...noFaults,
  latencyMsMax: 40,
  abortedCommit: 0.05,
  lostAnswer: 0.05,
  lostRequest: 0.05,
  refusedRequest: 0.02,
  repeatedFetch: 0.05,
  crashEveryMs: 6_000,
  pauseEveryMs: 8_000,
  rebalanceEveryMs: 5_000,
}
