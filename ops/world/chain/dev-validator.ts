import { createHash } from 'node:crypto'
import { Contract, type JsonRpcProvider, keccak256 } from 'ethers'
import { protocolStateInterface } from '../../../connectors/evm/contract/abi.ts'
import type { DevAccount } from './dev-accounts.ts'
import { createDevSender, type DevSender } from './dev-sender.ts'

const POLL_MS = 200
/** The attestation that finalizes 50 projects costs 4.6 M gas: about 92 k a project. */
const ATTEST_GAS = 500_000
const ATTEST_GAS_PER_PROJECT = 120_000

export interface ValidatorOptions {
  readonly rpcUrl: string
  readonly chainId: number
  readonly protocolState: string
  readonly markets: readonly string[]
  readonly account: DevAccount
  /** First block to look for ended epochs; what it has attested already is passed over. */
  readonly fromBlock: number
  /** The root to attest for the CIDs of a batch, in batch order; absent = the right one. For a validator that disagrees. */
  readonly rootOf?: (snapshotCids: readonly string[]) => string
  readonly onAttested?: (dataMarket: string, epochId: number, batchCid: string) => void
  /** Told of every failure; the validator tries again. */
  readonly onError?: (error: unknown) => void
}

interface EndedEpoch {
  readonly dataMarket: string
  readonly epochId: number
}

/**
 * A validator of the development chain: for every epoch whose batches are all in (`BatchSubmissionsCompleted`) it reads
 * each batch's projects and CIDs from the contract, computes the root anew and attests it.
 */
export function startValidator(options: ValidatorOptions): { close(): Promise<void> } {
  const sender = createDevSender(options.rpcUrl, options.chainId, options.account.privateKey)
  const abort = new AbortController()
  const running = attestUntil(abort.signal, sender, options)
  return {
    close: async () => {
      abort.abort()
      sender.close()
      await running
    },
  }
}

async function attestUntil(signal: AbortSignal, sender: DevSender, options: ValidatorOptions): Promise<void> {
  let next = options.fromBlock
  while (!signal.aborted) {
    try {
      const head = await sender.provider.getBlockNumber()
      if (head >= next) {
        for (const epoch of await endedEpochs(sender.provider, options, next, head)) {
          await attestEpoch(sender, options, epoch)
        }
        next = head + 1
      }
    } catch (error) {
      if (!signal.aborted) options.onError?.(error)
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function endedEpochs(
  provider: JsonRpcProvider,
  { protocolState, markets }: ValidatorOptions,
  fromBlock: number,
  toBlock: number,
): Promise<EndedEpoch[]> {
  const topic = protocolStateInterface.getEvent('BatchSubmissionsCompleted')!.topicHash
  const logs = await provider.getLogs({ address: protocolState, topics: [topic], fromBlock, toBlock })
  return logs
    .map(({ topics }) => ({ dataMarket: `0x${topics[1]!.slice(-40)}`, epochId: Number(topics[2]) }))
    .filter(({ dataMarket }) => markets.includes(dataMarket))
}

async function attestEpoch(sender: DevSender, options: ValidatorOptions, epoch: EndedEpoch): Promise<void> {
  const { dataMarket, epochId } = epoch
  const contract = new Contract(options.protocolState, protocolStateInterface, sender.provider)
  const batchCids = (await contract.getFunction('epochIdToBatchCids')(dataMarket, epochId)) as string[]
  for (const batchCid of batchCids) {
    const projects = [...((await contract.getFunction('batchCidToProjects')(dataMarket, batchCid)) as string[])]
    const cids = await Promise.all(
      projects.map(async (project) => {
        const [cid] = (await contract.getFunction('maxSnapshotsCid')(dataMarket, project, epochId)) as [string, bigint]
        return cid
      }),
    )
    const root = (options.rootOf ?? finalizedCidsRoot)(cids)
    const data = protocolStateInterface.encodeFunctionData('submitBatchAttestation', [
      dataMarket,
      batchCid,
      epochId,
      root,
    ])
    const transaction = { to: options.protocolState, data }
    // A dry run tells an attestation that is there already (E40), which is no failure, from all else.
    if (await reverts(sender, transaction)) continue
    await sender.send([{ ...transaction, gasLimit: ATTEST_GAS + projects.length * ATTEST_GAS_PER_PROJECT }])
    options.onAttested?.(dataMarket, epochId, batchCid)
  }
}

async function reverts(sender: DevSender, transaction: { to: string; data: string }): Promise<boolean> {
  try {
    await sender.provider.call({ ...transaction, from: sender.address })
    return false
  } catch (error) {
    if ((error as { reason?: unknown }).reason === 'E40') return true
    throw error
  }
}

const LEVELS = 32

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

/**
 * keccak256 of the root of the incremental Merkle tree (sha256, 32 levels) over the CIDs in batch order, 0x hex. Built level
 * by level and so without anything in common with the sequencer's tree.
 */
export function finalizedCidsRoot(snapshotCids: readonly string[]): string {
  let level = snapshotCids.map((cid) => sha256(new TextEncoder().encode(cid)))
  let zero: Uint8Array = new Uint8Array(32)
  for (let height = 0; height < LEVELS; height++) {
    const parents: Uint8Array[] = []
    for (let i = 0; i < level.length; i += 2) parents.push(sha256(level[i]!, level[i + 1] ?? zero))
    zero = sha256(zero, zero)
    level = parents
  }
  return keccak256(level[0] ?? zero)
}
