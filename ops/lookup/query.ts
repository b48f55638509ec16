/** Look-ups as the options of `why` and `epoch`. */
import { CliError } from '../cli-error.ts'
import type { EpochQuery } from './epoch.ts'
import type { WhyQuery } from './why.ts'

/** The fields by their option names; empty and undefined ones do not count. */
export interface LookupFields {
  readonly slot?: string | undefined
  readonly epoch?: string | undefined
  readonly project?: string | undefined
  readonly submissionId?: string | undefined
  readonly dataMarket?: string | undefined
}

/** Throws CliError that names every fault. */
export function parseWhyQuery({ slot, epoch, project, submissionId, dataMarket }: LookupFields): WhyQuery {
  const faults: string[] = []
  const query = {
    ...(slot && { slotId: whole('--slot', slot, faults) }),
    ...(epoch && { epochId: whole('--epoch', epoch, faults) }),
    ...(project && { projectId: project }),
    ...(submissionId && { submissionId: submissionId.toLowerCase() }),
    ...(dataMarket && { dataMarket: market(dataMarket, faults) }),
  }
  if (!slot && !submissionId) faults.push('--slot or --submission-id is needed')
  if (faults.length > 0) throw new CliError(faults.join('\n       '), 'See `sequencer why --help`.')
  return query
}

/** Throws CliError that names every fault. */
export function parseEpochQuery({ epoch = '', dataMarket }: LookupFields): EpochQuery {
  const faults: string[] = []
  const query = {
    epochId: whole('the epoch', epoch, faults),
    ...(dataMarket && { dataMarket: market(dataMarket, faults) }),
  }
  if (faults.length > 0) throw new CliError(faults.join('\n       '), 'See `sequencer epoch --help`.')
  return query
}

function whole(name: string, text: string, faults: string[]): number {
  const value = Number(text)
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(value))
    faults.push(`${name} ${JSON.stringify(text)}: not a whole number`)
  return value
}

function market(text: string, faults: string[]): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) faults.push(`--data-market ${JSON.stringify(text)}: not 0x and 40 hex digits`)
  return text.toLowerCase()
}
