/**
 * Every setting of a sequencer on a cluster: its type, its bounds, its default, its meaning. The documentation, the names of
 * the environment variables and what `config check` finds all come from here. Secrets are never settings: a setting names
 * the file that holds one.
 */
import { z } from 'zod'
import { RPC_DEFAULTS } from '../../connectors/evm/nodes/rpc.ts'
import { ANCHOR_RULES_DEFAULTS } from '../../topology/anchor-rules.ts'
import { RULES_DEFAULTS } from '../../topology/rules.ts'
import { address, oneOf, httpUrl as url } from '../base/options.ts'
import { ROLES } from '../base/roles.ts'
import { anchorSettings } from './anchor-settings.ts'
import { apiSettings } from './api-settings.ts'
import { clockSettings } from './clock-settings.ts'
import { intakeSettings } from './intake-settings.ts'
import { logSettings } from './log-settings.ts'
import { markerSettings } from './marker-settings.ts'
import { marketSchema, wei, whole } from './market-schema.ts'
import { storageSettings } from './storage-settings.ts'
import { tracingSettings } from './tracing-settings.ts'

const name = (lengthMax: number) =>
  z.string().regex(new RegExp(`^[a-zA-Z0-9._-]{0,${lengthMax}}$`), 'only letters, digits, ".", "_" and "-"')
const file = z.string().min(1)
const brokerAddress = z.string().regex(/^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/, 'not host:port')
const partitions = (of: string) => whole(1, 1_000).default(6).describe(`Partitions of ${of}.`)

const rules = RULES_DEFAULTS
const anchoring = ANCHOR_RULES_DEFAULTS

export const configSchema = z.strictObject({
  appId: name(60)
    .min(1)
    .default('sequencer')
    .describe(
      'Prefix of every consumer group, transactional id and changelog. Two sequencers on one cluster need different ones.',
    ),
  prefix: name(60)
    .default('')
    .describe('Prefix of every topic and subject, e.g. `powerloom-mainnet-`; ACLs can match it too.'),
  instanceId: name(100)
    .min(1)
    .optional()
    .describe('Name of this process within its groups, the same after a restart. The host name when absent.'),
  roles: z
    .array(oneOf('all', ...ROLES))
    .min(1)
    .default(['all'])
    .transform((given) => (given.includes('all') ? ROLES : ROLES.filter((role) => given.includes(role))))
    .describe('The roles of this process: `all`, or any of the roles below.'),
  workers: whole(0, 64)
    .default(0)
    .describe('Worker threads that recover signatures, for each of the roles validate and intake; 0 = none.'),
  commitIntervalMs: whole(5, 10_000).default(100).describe('Time between two commits of a task, ms.'),

  log: logSettings,
  tracing: tracingSettings,
  kafka: z
    .strictObject({
      brokers: z.array(brokerAddress).min(1).describe('Brokers to begin with, host:port.'),
      tls: z
        .strictObject({
          enabled: z.boolean().default(false).describe('Encrypt connections. Also on when one of the files is given.'),
          caFile: file.optional().describe('PEM of the authority that signed the brokers’ certificates.'),
          certFile: file.optional().describe('PEM of this client’s certificate.'),
          keyFile: file.optional().describe('PEM of the key of this certificate.'),
        })
        .prefault({}),
      sasl: z
        .strictObject({
          mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512').optional().describe('Mechanism of the login.'),
          username: z.string().min(1).optional().describe('User name.'),
          passwordFile: file.optional().describe('File with the password, for its reader alone (mode 0600).'),
          plainWithoutTls: z
            .boolean()
            .default(false)
            .describe('Let `plain` send the password over a connection that is not encrypted.'),
        })
        .prefault({}),
      replicationFactor: whole(1, 9).default(3).describe('Copies of every partition. 1 on a single broker.'),
      minInsyncReplicas: whole(1, 9)
        .default(2)
        .describe('Copies that must have a record before it counts as written. 1 on a single broker.'),
      standbys: whole(0, 3).default(0).describe('Processes that keep a warm copy of each task’s state.'),
      transactions: z
        .enum(['newest', 'v1'])
        .default('newest')
        .describe('Transaction protocol: the newest that the brokers offer, or version 1.'),
    })
    .describe('The cluster.'),

  registry: z
    .strictObject({
      url: url.describe('Address of the schema registry (Confluent’s interface).'),
      username: z.string().min(1).optional().describe('User name.'),
      passwordFile: file.optional().describe('File with the password, for its reader alone (mode 0600).'),
      unknownSchemaWaitMs: whole(0, 600_000)
        .default(5_000)
        .describe(
          'How long a record in `submissions` waits for a schema that the registry does not have, in case the registry is behind, ms; then it is a dead letter. Once in 10 minutes at most: meanwhile such records are dead letters at once.',
        ),
      tls: z
        .strictObject({
          caFile: file.optional().describe('PEM of the authority that signed the registry’s certificate, for `https`.'),
        })
        .prefault({}),
      loginWithoutTls: z.boolean().default(false).describe('Let the password go to a registry that is not `https`.'),
    })
    .describe('The schema registry.'),

  partitions: z
    .strictObject({
      submissions: partitions('`submissions`: the most processes that validate in parallel'),
      validated: partitions('`validated`, read by admit'),
      admitted: partitions('`admitted`, read by consensus'),
      finalizations: whole(1, 1_000)
        .default(2)
        .describe('Partitions of `finalizations`, read by settle and batch, and of `tallies`, read by ledger.'),
      verdicts: partitions('`verdicts`'),
    })
    .prefault({})
    .describe('Fixed by the first `deploy apply`: keys would move, and state with them.'),

  chain: z
    .strictObject({
      rpcUrls: z.array(url).min(1).optional().describe('Nodes of the anchor chain in order of preference.'),
      rpcUrlsFile: file
        .optional()
        .describe('File with these addresses, one a line, for addresses that hold an access key.'),
      chainId: whole(1, Number.MAX_SAFE_INTEGER).describe('Chain id; also in the EIP-712 domain.'),
      protocolState: address.describe('ProtocolState proxy; also the EIP-712 verifying contract.'),
      contractBlock: z
        .enum(['number', 'l1BlockNumber'])
        .default('number')
        .describe('How the contract counts blocks; `l1BlockNumber` on Arbitrum Nitro chains.'),
      agreement: whole(1, 20)
        .default(RPC_DEFAULTS.agreement)
        .describe(
          'Nodes that must say the same before these facts are believed: blocks, releases of epochs with their windows and days, owners of slots, results of dry runs, and final receipts; for nonces, gas and fees the median of their answers counts. 1 believes each. At most as many as there are nodes.',
        ),
      timeoutMs: whole(100, 600_000)
        .default(RPC_DEFAULTS.timeoutMs)
        .describe('How long a node has for one answer, ms.'),
      slowMs: whole(10, 600_000)
        .default(RPC_DEFAULTS.slowMs)
        .describe(
          'After so long, ms, the next node is asked as well; the first that is done counts, and a node that was overtaken is set aside.',
        ),
      batchMax: whole(1, 1_000)
        .default(RPC_DEFAULTS.batchMax)
        .describe('Calls of one JSON-RPC batch, at most. A node that takes fewer gets fewer.'),
      logRangeBlocks: whole(1, 1_000_000)
        .default(RPC_DEFAULTS.logRangeBlocks)
        .describe('Blocks of one request for logs, at most. A node that takes fewer gets fewer.'),
    })
    .describe('The anchor chain.'),

  markets: z
    .array(z.preprocess((given) => (typeof given === 'string' ? { dataMarket: given } : given), marketSchema))
    .min(1)
    .describe('Data markets: addresses, or objects with `dataMarket` and any of the rules below.'),

  addedMarkets: marketSchema
    .omit({ dataMarket: true })
    .prefault({})
    .describe('Rules of the data markets that `sequencer markets add` adds. Part of the fingerprint, as `markets` is.'),

  rules: z
    .strictObject({
      parkedMax: whole(0, 10_000_000)
        .default(rules.parkedMax)
        .describe(
          'Submissions of strangers to their slot that one validate task holds; before a first block all signers are strangers.',
        ),
      waitingMax: whole(1, 100_000_000)
        .default(rules.waitingMax)
        .describe(
          'Submissions that one validate task holds for epochs to come. Above it the owner with most gives way.',
        ),
      headsKept: whole(16, 200_000)
        .default(rules.headsKept)
        .describe('Blocks of history for header checks; more than every window and epoch in flight.'),
      slotHistoryBlocks: whole(1_000, 100_000_000)
        .default(rules.slotHistoryBlocks)
        .describe(
          'Blocks for which every change of a slot’s owner is kept: more than the 7 days for which the log holds submissions. The default is right for blocks of one second.',
        ),
      slotChangesMax: whole(2, 10_000)
        .default(rules.slotChangesMax)
        .describe(
          'Changes of one slot’s owner within them, also in blocks that left the chain. With one more the slot is suspended (SLOT_INACTIVE) until half of them are older.',
        ),
    })
    .prefault({})
    .describe('Part of the fingerprint, as the markets are: a change needs every stage stopped.'),

  markers: markerSettings,

  anchoring: z
    .strictObject({
      noncesInFlightMax: whole(1, 64)
        .default(anchoring.noncesInFlightMax)
        .describe('Transactions not yet mined, at most.'),
      retriesMax: whole(0, 1_000)
        .default(anchoring.retriesMax)
        .describe(
          'Failures of a batch that are tried again, but for failures of stores: these are tried as long as its window is open.',
        ),
      retryDelayMs: whole(1, 3_600_000)
        .default(anchoring.retryDelayMs)
        .describe('Wait before the first retry, ms; it doubles with each.'),
      retryDelayMsMax: whole(1, 86_400_000)
        .default(anchoring.retryDelayMsMax)
        .describe('The longest wait before a retry, ms.'),
      notSequencerDelayMs: whole(1, 86_400_000)
        .default(anchoring.notSequencerDelayMs)
        .describe('Wait while the contract does not know the signer as a sequencer.'),
      feeBumpPercent: whole(10, 1_000)
        .default(anchoring.feeBumpPercent)
        .describe('Rise of a replacement’s fees; nodes ask for 10.'),
      maxFeePerGasMax: wei.default(anchoring.maxFeePerGasMax).describe('Highest fee per gas of a transaction, wei.'),
      watchEpochs: whole(1, 100_000)
        .default(anchoring.watchEpochs)
        .describe('Later epochs, by their final ending calls, for which attestations are followed.'),
      noncesKept: whole(1, 1_000_000)
        .default(anchoring.noncesKept)
        .describe('Newest nonces of a signer whose transactions are kept, to be sent again when the chain goes back.'),
      attestationsMax: whole(1, 10_000).default(anchoring.attestationsMax).describe('Attestations kept per batch.'),
    })
    .prefault({})
    .describe('How batches go to the chain; part of the fingerprint.'),

  clock: clockSettings,

  anchor: anchorSettings,

  intake: intakeSettings,

  storage: storageSettings,

  ops: z
    .strictObject({
      host: z
        .string()
        .min(1)
        .default('127.0.0.1')
        .describe('Address of the query API and the console; /metrics, /healthz and /readyz are there too.'),
      port: whole(0, 65_535).default(9090).describe('Port of the query API and the console; 0 takes a free one.'),
      probesHost: z
        .string()
        .min(1)
        .optional()
        .describe('Address of the probes; the address of the query API when absent.'),
      probesPort: whole(0, 65_535)
        .optional()
        .describe(
          'Port where /metrics, /healthz and /readyz alone are, which clients of the query API cannot take away; 0 takes a free one. 100 behind `ops.port` when absent: 9190.',
        ),
    })
    .prefault({}),

  api: apiSettings,

  acls: z
    .strictObject({
      principals: z
        .partialRecord(z.enum(ROLES as readonly [string, ...string[]]), z.string().regex(/^User:.+/, 'not `User:name`'))
        .default({})
        .describe('Role → principal that `deploy` gives exactly the rights of the role, e.g. `intake: User:intake`.'),
      host: z.string().min(1).default('*').describe('Host from which the principals connect.'),
    })
    .prefault({})
    .describe('Access control; nothing is done without principals.'),
})

export type SequencerSettings = z.output<typeof configSchema>

const { chain, ...shape } = configSchema.shape
/** The settings for reading a cluster, and for `doctor` the settings that it examines besides. */
export const addressSchema = z.strictObject({
  appId: shape.appId,
  kafka: shape.kafka,
  registry: shape.registry,
  chain: chain.pick({ rpcUrls: true, rpcUrlsFile: true, agreement: true }).prefault({}),
  anchor: shape.anchor,
  storage: shape.storage,
  acls: shape.acls,
})

export type Address = z.output<typeof addressSchema>

export const isOfAddress = (path: string): boolean =>
  /^(appId$|kafka\.|registry\.|chain\.(rpcUrls|agreement)|anchor\.|storage\.|acls\.)/.test(path)
