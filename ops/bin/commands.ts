/** Every command: its group, what it is for, and where it is made. */
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { LogTarget, OpenedLog, OpenLog } from '../ground/open-log.ts'

export const VERSION = (
  JSON.parse(
    readFileSync(
      new URL(import.meta.url.includes('/dist/') ? '../../../package.json' : '../../package.json', import.meta.url),
      'utf8',
    ),
  ) as { version: string }
).version

interface CommandEntry {
  readonly about: string
  /** Loads its modules: the modules of one command take a moment, the modules of all take seconds (libp2p, ethers). */
  readonly create: () => Promise<Command>
}

export const GROUPS: Readonly<Record<string, Readonly<Record<string, CommandEntry>>>> = {
  'Run:': {
    dev: {
      about: 'Run everything in one process: sequencer, development chain, validators, simulated snapshotters',
      create: async () => (await import('../world/dev/command.ts')).devCommand(VERSION),
    },
    run: {
      about: 'Run roles of the sequencer on a Kafka cluster, until SIGTERM or Ctrl-C',
      create: async () => (await import('../run/command.ts')).runCommand(VERSION),
    },
    devchain: {
      about: 'Run a development chain with the contract, an epoch manager and validators, for trials of `run`',
      create: async () => (await import('../world/dev/chain-command.ts')).devChainCommand(),
    },
    snapshotters: {
      about: 'Send signed submissions of simulated snapshotters, a share of them wrong on purpose, to an intake',
      create: async () => (await import('../world/snapshotters/command.ts')).snapshottersCommand(),
    },
  },
  'Look:': {
    status: {
      about: 'The state of things: markets, epochs, who runs which role and how far behind, the signer, times',
      create: async () => (await import('../look/status/command.ts')).statusCommand(openLog),
    },
    epochs: {
      about: 'The newest epochs: the phase, the times and the outcome of each',
      create: async () => (await import('../look/status/command.ts')).epochsCommand(openLog),
    },
    epoch: {
      about: 'The progress of an epoch: submissions, verdicts, winners, batches, transactions, attestations',
      create: async () => (await import('../look/command.ts')).epochCommand(openLog),
    },
    why: {
      about: 'The verdicts of a slot’s submissions, and the rule that decided each',
      create: async () => (await import('../look/command.ts')).whyCommand(openLog),
    },
    rewards: {
      about: 'Days of the contract: counts of each slot, payouts and payments; compare them with the contract',
      create: async () => (await import('../look/rewards/command.ts')).rewardsCommand(openLog, withChain),
    },
    'dead-letters': {
      about: 'Records that were put aside since they are none of their topic: list, count, show, and put back',
      create: async () => (await import('../look/dead-letters/command.ts')).deadLettersCommand(openLog),
    },
    doctor: {
      about: 'Check the machine, the data directory or the cluster, the ports, the node and the storage',
      create: async () => (await import('../look/doctor/command.ts')).doctorCommand(),
    },
    topology: {
      about: 'Look at the stream graph',
      create: async () => (await import('../look/describe.ts')).topologyCommand(),
    },
  },
  'Check and prove:': {
    audit: {
      about: 'Recompute everything from the log with a second implementation of the rules, and compare',
      create: async () => (await import('../check/audit/command.ts')).auditCommand(withChain),
    },
    log: {
      about: 'Check the log of a data directory for damage, and repair it',
      create: async () => (await import('../check/log/command.ts')).logCommand(),
    },
    replay: {
      about: 'Recompute one epoch from the log with the topology itself, and compare with what was recorded',
      create: async () => (await import('../check/replay/command.ts')).replayCommand(withChain),
    },
    verify: {
      about: 'Check a batch: CIDs, both roots, signatures, one vote per slot, the winner per project',
      create: async () => (await import('../check/verify/command.ts')).verifyCommand(),
    },
    proof: {
      about: 'Prove that a submission is in an anchored batch, and check such a proof',
      create: async () => (await import('../check/proof/command.ts')).proofCommand(openLog),
    },
  },
  'Deploy and change:': {
    deploy: {
      about: 'Compare a cluster with what the sequencer needs, and make it so',
      create: async () => (await import('../deploy/command.ts')).deployCommand(),
    },
    schemas: {
      about: 'Check, compare and register the schemas of the topics',
      create: async () => (await import('../deploy/registry/command.ts')).schemasCommand(),
    },
    config: {
      about: 'Look at the settings of a sequencer on a cluster',
      create: async () => (await import('../settings/command.ts')).configCommand(),
    },
    keys: {
      about: 'Make the key files of a sequencer, and print their address, peer id or public key',
      create: async () => (await import('../settings/keys/command.ts')).keysCommand(),
    },
    markets: {
      about: 'List, add and remove data markets while everything runs',
      create: async () => (await import('../deploy/markets/command.ts')).marketsCommand(openLog),
    },
    alerts: {
      about: 'Pass alerts on to the webhook of the deployed services',
      create: async () => (await import('../deploy/alerts/command.ts')).alertsCommand(),
    },
    peers: {
      about: 'The peers that send most to the intakes; ban and unban peers and addresses while everything runs',
      create: async () => (await import('../deploy/peers/command.ts')).peersCommand(openLog),
    },
    batches: {
      about: 'Give stores the batches that they lack, and have them let go of old ones',
      create: async () => (await import('../deploy/batches/command.ts')).batchesCommand(openLog),
    },
    reset: {
      about: 'Move the offsets of stages that stand still, and empty their state',
      create: async () => (await import('../deploy/reset/command.ts')).resetCommand(),
    },
  },
}

const openLog: OpenLog = async (target) => (await import('../ground/open-log.ts')).openLog(target)
const withChain: OpenLog = async (target) => openBesideChain(target)

/** The development chain of a directory ends with its process: a command that asks it brings it up again. */
async function openBesideChain(target: LogTarget): Promise<OpenedLog> {
  const { openLog } = await import('../ground/open-log.ts')
  const { openWithChain } = await import('../world/chain/with-chain.ts')
  return openLog(target, { directory: openWithChain })
}
