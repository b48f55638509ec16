/** What the simulated snapshotters sent, and what the closed log says became of it. */
import { readFileSync } from 'node:fs'
import { openDirectory } from '../../ops/ground/data-directory.ts'
import { directoryPaths } from '../../ops/ground/directory-paths.ts'
import { scanTopic } from '../../ops/reading/scan.ts'
import type { Kind } from '../../ops/world/snapshotters/kinds.ts'
import type { VerdictReason } from '../../schemas/types.ts'

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
    for await (const { records } of scanTopic(log, topics.verdicts))
      for (const { value } of records) {
        const { submissionId, reason } = topics.verdicts.value.decode(value!)
        verdicts.set(submissionId, [...(verdicts.get(submissionId) ?? []), reason])
      }
    const deadLetters: string[] = []
    for await (const { records } of scanTopic(log, topics.deadLetters))
      for (const { headers } of records)
        deadLetters.push(Buffer.from(headers.find(({ key }) => key === 'reason')!.value).toString())
    return { verdicts, deadLetters }
  } finally {
    await close()
  }
}
