/** States of stages that cannot be whole: rows of their changelogs or tables are gone. */
import type { Log } from '../../../streams/ports.ts'
import type { Topics } from '../../../topology/topics.ts'
import { STAGES } from '../../base/roles.ts'
import { partitionsOf } from '../../reading/scan.ts'
import { INPUTS } from '../../reading/stage-lags.ts'
import { rowsMissing } from '../../reading/state-rows.ts'
import type { Findings } from './report.ts'

/** Tells the first place of each stage: what follows from it in verdicts and batches is told beside it. */
export async function tellLostState(log: Log, topics: Topics, appId: string, findings: Findings): Promise<void> {
  for (const stage of STAGES) {
    const inputs = INPUTS[stage].flatMap((input) => partitionsOf(topics[input]))
    const gone = await rowsMissing(log, { group: `${appId}-${stage}`, stage, inputs })
    if (gone) findings.add('mismatches', `${gone.topic}[${gone.partition}]`, gone.message)
  }
}
