/** What the simulated snapshotters sent, and what the closed log says became of it. */
import { readFileSync } from 'node:fs'
import { directoryPaths, openDirectory } from '../../ops/data-directory.ts'
import type { Kind } from '../../ops/snapshotters/kinds.ts'
import type { VerdictReason } from '../../schemas/types.ts'
import type { Log, LogRecord } from '../../streams/ports.ts'

export interface LedgerLine {
  readonly submissionId: string
  readonly epochId: number
  readonly kind: Kind
  readonly expected: readonly VerdictReason[]
}

export const readLedger = (dataDir: string): LedgerLine[] =>
  readFileSync(directoryPaths(dataDir).ledger, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as LedgerLine)

export interface Outcome {
  /** Submission id → every verdict on it. */
  readonly verdicts: ReadonlyMap<string, readonly VerdictReason[]>
  /** Reasons of the intake's dead letters. */
  readonly deadLetters: readonly string[]
}

export async function readOutcome(dataDir: string): Promise<Outcome> {
  const { log, topics, close } = await openDirectory(dataDir)
  try {
    const verdicts = new Map<string, VerdictReason[]>()
    for (let partition = 0; partition < topics.verdicts.partitions; partition++) {
      for (const { value } of await readAll(log, topics.verdicts.name, partition)) {
        const { submissionId, reason } = topics.verdicts.value.decode(value!)
        verdicts.set(submissionId, [...(verdicts.get(submissionId) ?? []), reason])
      }
    }
    const letters = await readAll(log, topics.deadLetters.name, 0)
    const deadLetters = letters.map(({ headers }) =>
      Buffer.from(headers.find(({ key }) => key === 'reason')!.value).toString(),
    )
    return { verdicts, deadLetters }
  } finally {
    await close()
  }
}

async function readAll(log: Log, topic: string, partition: number): Promise<LogRecord[]> {
  const [bounds] = await log.bounds([{ topic, partition }])
  const records: LogRecord[] = []
  for (let offset = bounds!.start; offset < bounds!.stable; ) {
    const [fetched] = await log.fetch([{ topic, partition, offset }], { maxWaitMs: 0, maxBytesPerPartition: 1_000_000 })
    records.push(...fetched!.records)
    offset = fetched!.next
  }
  return records
}
