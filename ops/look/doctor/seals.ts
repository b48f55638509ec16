/** Says whether records count without a seal, as deployed. */
import type { ProtocolRules } from '../../../topology/rules.ts'
import { plural } from '../../base/words.ts'
import type { Finding } from './finding.ts'

export function examineSeals({
  markerKeys,
  unsignedMarkers,
  unsealedRecords,
}: Pick<ProtocolRules, 'markerKeys' | 'unsignedMarkers' | 'unsealedRecords'>): Finding {
  const check = 'seals'
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
