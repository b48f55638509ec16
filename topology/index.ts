/** The sequencer on one screen: a submission walks through it from top to bottom. Read this first. */
import { createStreamsBuilder } from '../streams/create-builder.ts'
import type { Topology } from '../streams/topology.ts'
import { admitSubmission } from './admit/admit.ts'
import { planAnchor } from './anchor/anchor.ts'
import type { AnchorRules } from './anchor-rules.ts'
import { cutBatches } from './batch/batch.ts'
import { tallyEpoch } from './consensus/consensus.ts'
import { gate } from './gate.ts'
import { keepLedger } from './ledger/ledger.ts'
import { checkRules, marketRulesLookup, type ProtocolRules, rulesText } from './rules.ts'
import { settleEpoch } from './settle/settle.ts'
import { recoveredSigners } from './shared/signature.ts'
import type { Stores } from './stores.ts'
import { fanOutTicks } from './tick-fanout/tick-fanout.ts'
import type { Topics } from './topics.ts'
import { validateSubmission } from './validate/validate.ts'

/**
 * @param topics sealed where the rules name keys (`sealedTopics`)
 * @throws RangeError on rules that cannot be, TopologyError on a bad graph: here, never while running
 */
export function sequencerTopology(
  rules: ProtocolRules,
  topics: Topics,
  stores: Stores,
  anchoring: Partial<AnchorRules> = {},
): Topology {
  checkRules(rules)
  const { chainHeads, chainEpochs, tickGap, heads, epochs, markets, parked, slotQuota, votes, projects } = stores
  const builder = createStreamsBuilder()
  builder.globalTable(topics.slots)
  builder.deadLetters(topics.deadLetters.name)
  builder.rules(rulesText(rules, anchoring))

  const ticks = builder
    .stream(topics.epochTicks)
    .process('tick-fanout', ['markers', 'requests'], fanOutTicks(rules, stores), chainHeads, chainEpochs, tickGap)
  ticks.markers.broadcast(topics.submissions)
  ticks.requests.to(topics.tickRequests)

  const submitted = builder.stream(topics.submissions, recoveredSigners)
  const valid = gate(submitted, 'validate', validateSubmission(rules, topics, stores), heads, epochs, markets, parked)
  const bySlot = valid.accepted.repartition(topics.validated)
  const admitted = gate(bySlot, 'admit', admitSubmission(rules, stores), slotQuota) // dedupe, then quota
  admitted.accepted.to(topics.admitted)
  const byProject = builder.stream(topics.admitted)
  const tallied = byProject.process('consensus', ['finalized'], tallyEpoch(rules, stores), votes)
  tallied.finalized.to(topics.finalizations)
  const settled = builder.stream(topics.finalizations).process('settle', ['verdicts', 'tallies'], settleEpoch(rules))
  for (const { verdicts } of [valid, admitted, settled]) verdicts.to(topics.verdicts)

  const byEpoch = builder.stream(topics.finalizations)
  byEpoch.process('batch', ['batches'], cutBatches(rules, topics, stores), projects).batches.to(topics.batches)

  settled.tallies.to(topics.tallies)
  const ledgerStores = Object.values(stores.ledger)
  const ledger = builder
    .stream(topics.tallies)
    .process('ledger', ['slotDays', 'days', 'payouts'], keepLedger(rules, topics, stores.ledger), ...ledgerStores)
  ledger.slotDays.to(topics.slotDays)
  ledger.days.to(topics.days)
  ledger.payouts.to(topics.payouts)

  const turns = builder
    .stream(topics.batches)
    .merge(builder.stream(topics.payouts))
    .merge(builder.stream(topics.anchorResults))
  const anchorStores = Object.values(stores.anchor)
  const anchor = turns.process(
    'anchor',
    ['intents', 'anchors', 'payments'],
    planAnchor(stores.anchor, marketRulesLookup(rules), anchoring),
    ...anchorStores,
  )
  anchor.intents.to(topics.anchorIntents)
  anchor.anchors.to(topics.anchors)
  anchor.payments.to(topics.payments)

  return builder.build()
}
