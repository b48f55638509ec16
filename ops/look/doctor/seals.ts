/** Says whether records count without a seal, as deployed, and who has written intents without one. */
import type { Log } from '../../../streams/ports.ts'
import { readRecords, type Unreadable } from '../../../streams/read-record.ts'
import { SealGuard } from '../../../streams/seal-guard.ts'
import type { ProtocolRules } from '../../../topology/rules.ts'
import type { Topics } from '../../../topology/topics.ts'
import { plural } from '../../base/words.ts'
import { exists } from '../../reading/market-rows.ts'
import { scan } from '../../reading/scan.ts'
import type { Finding } from './finding.ts'

const check = 'seals'
/** Intents looked at, the newest: those in force are some hundreds. */
const INTENTS_LOOKED_AT = 10_000

type SealRules = Pick<ProtocolRules, 'markerKeys' | 'unsignedMarkers' | 'unsealedRecords'>

/** Forgeries in the other topics are dead letters of a stage, see `examineLetters`. */
export async function examineSeals(log: Log, { anchorIntents }: Topics, rules: SealRules): Promise<Finding> {
  const deployed = sealsDeployed(rules)
  if (!deployed.ok || !anchorIntents.seals || !(await exists(log, anchorIntents.name))) return deployed
  const at = { topic: anchorIntents.name, partition: 0 }
  const [bounds] = await log.bounds([at])
  const guard = new SealGuard(at.topic, at.partition, anchorIntents.seals)
  let [forged, newest] = [0, 0]
  const tell = ({ reason, offset }: Unreadable): void => {
    if (reason !== 'forged') return
    forged++
    newest = offset
  }
  for await (const records of scan(log, at, { from: bounds!.stable - INTENTS_LOOKED_AT }))
    for (const _ of readRecords(anchorIntents, at.partition, records, tell, { guard }));
  if (forged === 0) return deployed
  const detail = `${deployed.detail}; ${at.topic} has ${plural(forged, 'forged record')}, the newest at offset ${newest}`
  return {
    check,
    ok: true,
    detail,
    advice: 'They change nothing. Find out who may write there, and take the right away.',
  }
}

export function sealsDeployed({ markerKeys, unsignedMarkers, unsealedRecords }: SealRules): Finding {
  if (markerKeys.length === 0)
    return {
      check,
      ok: false,
      detail: 'no key is deployed: who may write markers, ticks, batches, payouts, intents or results decides by them',
      advice: 'Make a key with `sequencer keys marker`, set markers.signingKeyFile, and deploy it.',
    }
  const keys = plural(markerKeys.length, 'key')
  const early = [
    ...(unsignedMarkers ? ['markers'] : []),
    ...(unsealedRecords ? ['ticks, batches, payouts, intents and results'] : []),
  ]
  if (early.length === 0) return { check, ok: true, detail: `${keys}; nothing counts without a seal` }
  return {
    check,
    ok: true,
    detail: `${keys}; ${early.join(', ')} of an older release count without a seal until the first sealed one`,
    advice:
      'When the log holds none of those any more (30 days), set markers.unsignedFirst and markers.unsealedFirst to false.',
  }
}
