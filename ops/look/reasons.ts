/** docs/verdicts.md, from the set of reasons. */
import {
  ACCEPT_HELP,
  ACCEPT_REASONS,
  type AcceptReason,
  REASON_HELP,
  REJECT_REASONS,
  type RejectReason,
} from '../../topology/verdict.ts'

type Reason = AcceptReason | RejectReason

/** The part that decides it. `intake` writes a dead letter: bytes that name no submission have no place for a verdict. */
const DECIDED_BY = {
  MALFORMED: 'intake, validate',
  OVERSIZE: 'intake, validate',
  UNKNOWN_MARKET: 'validate',
  FOREIGN_PROJECT: 'validate',
  BAD_SIGNATURE: 'validate',
  UNKNOWN_SLOT: 'validate',
  SLOT_MISMATCH: 'validate',
  SLOT_INACTIVE: 'validate',
  FLAGGED: 'validate',
  EPOCH_NOT_OPEN: 'validate',
  EPOCH_CLOSED: 'validate',
  EPOCH_TOO_FAR: 'validate',
  DEADLINE_PASSED: 'consensus',
  UNKNOWN_HEADER: 'validate, consensus',
  STALE_HEADER: 'consensus',
  ORPHANED_HEADER: 'consensus',
  DUPLICATE: 'validate, admit',
  RATE_LIMITED: 'validate, admit',
  SUPERSEDED: 'consensus',
  WRONG_DATA_SOURCE: 'validate',
  NO_QUORUM: 'consensus',
  UNANCHORABLE: 'consensus',
  OUTVOTED: 'consensus',
  COUNTED: 'consensus',
  SIMULATION: 'validate',
} as const satisfies Record<Reason, string>

const INTRODUCTION = `# Verdicts

Written by \`sequencer why --reasons > docs/verdicts.md\`; a test compares.

Every submission that the intake acknowledged ends with exactly one verdict: its reason, the rule that decided, what the
rule expected and what it found, and the block as of which it was decided. Look one up with
\`sequencer why --slot <slot> --epoch <epoch>\`. The reasons are one closed set: they are also the labels of
\`seq_submission_verdict_total\` and the symbols of the Avro enum in the topic \`verdicts\`.

Nothing changes a verdict that is written. Verdicts of \`consensus\` come when the epoch closes. A submission that comes before the
release of its epoch waits for the release, however late this sequencer hears of it. All other verdicts come at once.

`

export function reasonsReference(): string {
  return `${INTRODUCTION}## Accepted

${tableOf(ACCEPT_REASONS, ACCEPT_HELP)}
## Refused

${tableOf(REJECT_REASONS, REASON_HELP)}`
}

function tableOf<R extends Reason>(reasons: readonly R[], help: Readonly<Record<R, string>>): string {
  const rows = reasons.map((reason) => `| \`${reason}\` | ${DECIDED_BY[reason]} | ${help[reason]} |`)
  return ['| reason | decided by | what it means, and what to do |', '|---|---|---|', ...rows, ''].join('\n')
}
