/** The key figures of the market, and of what serves it, in one strip. */
import type { StatusAnswer } from '../../../status-schema.ts'
import { useAnswer } from '../answers.ts'
import { coin, count, duration, percent, plural } from '../format.ts'
import { market, ofMarket } from '../place.ts'
import { Ago, Facts } from './basics.tsx'

export function KeyFigures() {
  const { data } = useAnswer<StatusAnswer>(ofMarket('/v1/status'), 'health', 'epoch')
  if (!data) return null
  return (
    <section class="card figures" aria-label="Key figures">
      <Facts rows={[...rowsOfMarket(data), ...rowsOfAll(data)]} />
    </section>
  )
}

function rowsOfMarket({ markets }: StatusAnswer) {
  const { headEpoch, agreement, toAnchor } = markets.find(({ dataMarket }) => dataMarket === market.value) ?? {}
  return [
    ['Newest epoch', headEpoch ?? 'none yet'],
    ['Support', agreement == null ? 'not counted yet' : percent(agreement)],
    [
      'Release to chain',
      toAnchor ? `${duration(toAnchor.p50 * 1_000)}, 95 % in ${duration(toAnchor.p95 * 1_000)}` : 'none yet',
    ],
  ] as const
}

function rowsOfAll({ chain, submissionsPerMinute, signer, processes }: StatusAnswer) {
  const running = processes.filter(({ state }) => state === 'RUNNING').length
  const silent = processes.length - running
  return [
    ['Block', chain === null ? 'none yet' : <BlockWords key="block" {...chain} />],
    ['Submissions', submissionsPerMinute === null ? 'no intake reports' : `${count(submissionsPerMinute)} a minute`],
    ['Signer’s coin', signer.balanceWei === null ? 'not asked for yet' : coin(signer.balanceWei)],
    ['Processes', `${plural(running, 'process', 'processes')}${silent > 0 ? `, ${silent} silent` : ''}`],
  ] as const
}

const BlockWords = ({ blockNumber, at }: NonNullable<StatusAnswer['chain']>) => (
  <>
    {blockNumber}, <Ago at={at} />
  </>
)
