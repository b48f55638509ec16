/** The parts of each connector role. */

import type { SigningLimits } from '../../connectors/evm/anchor-effects/anchor-options.ts'
import { createSigner } from '../../connectors/evm/anchor-effects/anchor-signer.ts'
import { startAnchor } from '../../connectors/evm/anchor-effects/role.ts'
import { startClock } from '../../connectors/evm/clock/clock.ts'
import { EvmError } from '../../connectors/evm/errors.ts'
import { RPC_DEFAULTS } from '../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { configOf } from '../../streams/kafka-topic.ts'
import { asWork, startOneOfMany } from '../../streams/one-of-many.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../topology/anchor-rules.ts'
import { MARKETS_MAX } from '../../topology/rules.ts'
import { type Connector, clockGroup } from '../base/roles.ts'
import { loggedTickRequests, logMarkets } from '../watch/logging/clock.ts'
import { logAnchor } from '../watch/logging/events.ts'
import { noLog } from '../watch/logging/log.ts'
import { loggedNodes } from '../watch/logging/nodes.ts'
import { anchorMetrics, clockMetrics } from '../watch/metrics/connectors.ts'
import { startApi } from './api-role.ts'
import { startCollecting } from './intake/start.ts'
import { startStorage } from './storage/start.ts'
import { toldSigner } from './told.ts'
import type { Part, Wiring } from './wiring.ts'

export const CONNECTOR_PARTS: Record<Connector, (wiring: Wiring) => Promise<Part>> = {
  'anchor-effects': startAnchorEffects,
  clock: startChainClock,
  intake: startCollecting,
  api: startApi,
}

async function startAnchorEffects(wiring: Wiring): Promise<Part> {
  const { config, log, topics, metrics, health, leftOut, told } = wiring
  const { appId, instanceId, chain, rules, anchor } = config
  const { address } = createSigner(anchor.signerKey, chain.chainId)
  const events = config.log ?? noLog()
  const storage = await startStorage(config.storage, {
    ...{ metrics, health, topics, records: log, log: events, atOnce: anchor.stepsAtOnce },
  })
  const observer = toldSigner(anchorMetrics(metrics, health), told, address, systemClock.now)
  const protocolStates = new Map(rules.markets.map(({ dataMarket, protocolState }) => [dataMarket, protocolState]))
  const options = {
    ...anchor,
    ...nodeTuning(chain),
    appId,
    instanceId,
    topics,
    urls: chain.rpcUrls,
    chainId: chain.chainId,
    protocolStateOf: (dataMarket: string) => protocolStates.get(dataMarket) ?? chain.protocolState,
    limits: limitsOf(config.anchoring),
    ...(chain.contractBlock && { contractBlock: chain.contractBlock }),
    observer: logAnchor(
      loggedNodes(
        { ...observer, owning: both(observer.owning, storage.owning), unreadable: leftOut.by('anchor-effects') },
        events,
        'anchor-effects',
      ),
      events,
    ),
  }
  const anchoring = await startAnchor(options, { log, clock: systemClock, storage: storage.batches }).catch(
    async (error: unknown) => {
      await storage.close()
      throw error
    },
  )
  return { stopped: anchoring.stopped, close: () => anchoring.close().finally(() => storage.close()) }
}

/** The rules that the stage keeps to, kept once more by the process that has the key. As many nonces are kept, and may be sent again. */
function limitsOf(anchoring: Wiring['config']['anchoring']): SigningLimits {
  const { maxFeePerGasMax, noncesKept, noncesInFlightMax } = { ...ANCHOR_RULES_DEFAULTS, ...anchoring }
  return { maxFeePerGasMax, noncesAheadMax: noncesKept + noncesInFlightMax }
}

const both =
  (...tell: readonly (((owns: boolean) => void) | undefined)[]) =>
  (owns: boolean): void => {
    for (const one of tell) one?.(owns)
  }

/** Settings for asking nodes; the connectors have defaults for those that are not set. */
const nodeTuning = ({ agreement, timeoutMs, slowMs, batchMax, logRangeBlocks }: Wiring['config']['chain']) => ({
  agreement: agreement ?? RPC_DEFAULTS.agreement,
  timeoutMs: timeoutMs ?? RPC_DEFAULTS.timeoutMs,
  slowMs: slowMs ?? RPC_DEFAULTS.slowMs,
  rpcBatchMax: batchMax ?? RPC_DEFAULTS.batchMax,
  logRangeBlocks: logRangeBlocks ?? RPC_DEFAULTS.logRangeBlocks,
})

/** The clock has a single writer: with several processes of the role, one works and the others stand by. */
async function startChainClock({ config, log, topics, metrics, health, leftOut }: Wiring): Promise<Part> {
  const { appId, instanceId, chain, rules, clock } = config
  const { startBlock, ...tuning } = clock
  const { observer, owning } = clockMetrics(metrics, health, systemClock.now)
  const eventLog = config.log ?? noLog()
  const options = {
    ...tuning,
    ...nodeTuning(chain),
    appId,
    topics,
    urls: chain.rpcUrls,
    chainId: chain.chainId,
    protocolState: chain.protocolState,
    markets: rules.markets,
    addedWindowUnit: rules.addedMarkets.windowUnit,
    marketsMax: MARKETS_MAX,
    slotHistoryBlocks: rules.slotHistoryBlocks,
    slotChangesMax: rules.slotChangesMax,
    acceptedHeadersMax: rules.headsKept,
    ...(startBlock !== undefined && { startBlock }),
    ...(chain.contractBlock && { contractBlock: chain.contractBlock }),
    observer: loggedNodes(
      { ...loggedTickRequests(logMarkets(observer, eventLog), eventLog), unreadable: leftOut.by('clock') },
      eventLog,
      'clock',
    ),
  }
  const holder = {
    group: clockGroup(appId),
    topic: topics.epochTicks.name,
    instanceId,
    fingerprint: CLOCK_FINGERPRINT,
    work: asWork(() => startClock(options, { log, clock: systemClock })),
    owning,
    isTakenOver: (error: Error) => error instanceof EvmError && error.code === 'FENCED',
    pauseMs: () => TAKEOVER_PAUSE_MS,
  }
  await log.createTopics([configOf(topics.epochTicks)])
  return startOneOfMany(holder, { log, clock: systemClock })
}

/** Before a clock that was taken over, or thrown out of its group, tries again. */
const TAKEOVER_PAUSE_MS = 1_000

/** Another one when clocks of two releases must not take over from each other: the second one follows markets at run time, the third one seals ticks. */
const CLOCK_FINGERPRINT = 'clock/3'
