/**
 * `sequencer run`: some roles, or all, on a Kafka cluster. Nothing that correctness rests on is kept on this machine: state
 * is in changelogs, positions with the groups, the rules in the topic of settings.
 */
import { readSignerKey } from '../../connectors/evm/anchor-effects/anchor-signer.ts'
import { systemClock } from '../../connectors/system-clock.ts'
import { defaultViewDirectory } from '../api/view-directory.ts'
import { CliError, EXIT } from '../base/cli-error.ts'
import { Lifecycle, untilAborted } from '../base/lifecycle.ts'
import { SEALING } from '../base/roles.ts'
import { rpcUrlsOf, secretIn } from '../ground/cluster/connect.ts'
import { openGround } from '../ground/cluster/open.ts'
import { patiently } from '../ground/cluster/patience.ts'
import {
  agreedWith,
  type ClusterSettings,
  changedParts,
  clusterSettingsOf,
  settingsTopic,
} from '../ground/cluster/settings-topic.ts'
import { limitsOf } from '../settings/intake-settings.ts'
import { readSealSigner } from '../settings/keys/marker-key.ts'
import type { Configuration, Need } from '../settings/parse.ts'
import { say } from '../watch/logging/events.ts'
import { createLog } from '../watch/logging/log.ts'
import { secretsOf } from '../watch/logging/secrets.ts'
import { startSequencer } from './compose.ts'
import type { RunLines } from './lines.ts'
import { expectOwnTopics } from './own-topics.ts'
import { reportRoles } from './report-roles.ts'
import type { SequencerConfig } from './wiring.ts'

export interface RunPorts {
  readonly lines: RunLines
  readonly version: string
  /** Ends the run when aborted: slices are finished and committed, groups are left. */
  readonly signal: AbortSignal
}

/** The needs of this process' roles beyond the cluster itself. */
export const needOf: Need = ({ roles = [], chain, storage }) => [
  ...(roles.some((role) => role === 'clock' || role === 'anchor-effects') && !chain?.rpcUrlsFile
    ? ['chain.rpcUrls']
    : []),
  ...(roles.includes('anchor-effects') ? ['anchor.signerKeyFile'] : []),
  ...(roles.includes('anchor-effects') && !storage?.directory ? ['storage.kubo'] : []),
  ...(roles.includes('intake') ? ['intake.peerKeyFile'] : []),
  ...(roles.some((role) => SEALING.includes(role)) ? ['markers.signingKeyFile'] : []),
]

/** Runs until the signal, or until something fails for good (then it rejects). */
export async function runRoles(configuration: Configuration, { lines, version, signal }: RunPorts): Promise<void> {
  const { settings } = configuration
  const { appId, instanceId, roles } = settings
  const fields = { app: appId, instance: instanceId }
  const log = createLog({ level: settings.log.level, fields, secrets: secretsOf(settings) })
  const warn = (text: string): void => {
    lines.warn(text)
    say(log, 'note', { text })
  }
  const parts = new Lifecycle(warn)
  let fail: (error: Error) => void = () => {}
  const failed = new Promise<never>((_, reject) => {
    fail = reject
  })
  failed.catch(() => {}) // heard by the race below, if it still runs
  const stopped = untilAborted(signal)
  /** A process that is told to end while it starts does not wait for a part that may never answer. */
  const unlessStopped = <T>(starting: Promise<T>): Promise<T | undefined> => {
    starting.catch(() => {}) // heard by the race, if it still runs
    return Promise.race([starting, stopped.then(() => undefined)])
  }
  try {
    lines.starting(settings)
    say(log, 'starting', { version, roles })
    signal.addEventListener('abort', () => say(log, 'stopping'), { once: true })
    const patience = { clock: systemClock, signal, warn }
    const opening = parts.add(
      'log',
      patiently(patience, () => openGround(settings, settings.instanceId, warn)),
    )
    const ground = await unlessStopped(opening)
    if (!ground) return
    await unlessStopped(patiently(patience, () => expectOwnTopics(ground, warn)))
    if (signal.aborted) return
    const agreed = agreedWith(configuration, ground.settings)
    checkDeployed(ground.settings, clusterSettingsOf(agreed))
    const config = { ...configOf(agreed), version, onFailure: fail, warn, log, listeners: [lines] }
    const sequencer = await unlessStopped(parts.add('sequencer', startSequencer(config, ground)))
    if (!sequencer) return // it fails to start when the log under it is closed
    await parts.add('role reports', reportRoles(sequencer.health, lines))
    const { multiaddrs: intake, url: ops, probesUrl: probes } = sequencer
    say(log, 'running', { intake, ops, probes })
    lines.running({ intake, ops, probes, roles: settings.roles })
    await Promise.race([failed, stopped])
  } finally {
    await parts.close()
  }
}

/** Every process must decide by what was deployed: stages of one epoch may run in many. */
function checkDeployed(deployed: ClusterSettings, wanted: ClusterSettings): void {
  const different = changedParts(deployed, wanted)
  if (different.length === 0) return
  throw new CliError(
    [`this configuration is not the one deployed (${settingsTopic(wanted.appId).name}):`, ...different],
    'See `sequencer deploy plan`; a change of rules is deployed while every role is stopped.',
    EXIT.usage,
  )
}

const viewDirectoryOf = ({ settings: { roles, api, appId, instanceId } }: Configuration): string => {
  if (api.viewDirectory !== undefined || !roles.includes('api')) return api.viewDirectory ?? ''
  return defaultViewDirectory(`view-${appId}-${instanceId}`, process.env)
}

function configOf(configuration: Configuration): Omit<SequencerConfig, 'version' | 'onFailure' | 'warn'> {
  const { settings, rules } = configuration
  const { appId, instanceId, roles, anchoring, chain, clock, anchor, intake, storage, ops, api } = settings
  const { signerKeyFile, formerSignerKeyFiles, ...anchorTuning } = anchor
  const isSealing = roles.some((role) => SEALING.includes(role))
  const markerSigner = isSealing ? readSealSigner(settings.markers.signingKeyFile!) : undefined
  const signs = roles.includes('anchor-effects')
  return {
    appId,
    instanceId,
    roles,
    rules,
    anchoring,
    ...(markerSigner && { markerSigner }),
    chain: { ...chain, rpcUrls: rpcUrlsOf(chain) },
    clock,
    anchor: {
      ...anchorTuning,
      signerKey: signs ? readSignerKey(signerKeyFile!) : '',
      formerSignerKeys: signs ? formerSignerKeyFiles.map(readSignerKey) : [],
    },
    intake: {
      listen: intake.listen,
      peerKeyFile: intake.peerKeyFile ?? '',
      banned: intake.banned,
      quotaFactor: intake.quotaFactor,
      limits: limitsOf(intake),
    },
    storage,
    ops,
    api: {
      viewDirectory: viewDirectoryOf(configuration),
      keepHours: api.keepHours,
      submissionsMax: api.submissionsMax,
      limits: api,
      legacyToken: api.legacyTokenFile && secretIn(api.legacyTokenFile),
    },
    tracing: settings.tracing,
    workers: settings.workers,
    commitIntervalMs: settings.commitIntervalMs,
    foreignWaitMs: settings.registry.unknownSchemaWaitMs,
    standbys: settings.kafka.standbys,
  }
}
