/**
 * The needs of the roles clock and anchor-effects beside the cluster: nodes of the right chain, a signer that may and can pay,
 * stores.
 */
import { getAddress } from 'ethers'
import { balanceOf, readContract } from '../../../connectors/evm/anchor-effects/anchor-chain.ts'
import { createSigner, readSignerKey } from '../../../connectors/evm/anchor-effects/anchor-signer.ts'
import { createRpc, type Rpc } from '../../../connectors/evm/nodes/rpc.ts'
import { systemClock } from '../../../connectors/system-clock.ts'
import { rulesOfMarket } from '../../../topology/rules.ts'
import { coin } from '../../base/words.ts'
import { rpcUrlsOf } from '../../ground/cluster/connect.ts'
import type { Address } from '../../settings/schema.ts'
import type { Examined } from './cluster.ts'
import { type Finding, failed, notLookedAt } from './finding.ts'
import { examineMarkets } from './market.ts'
import { examineNode } from './outside.ts'
import { examineStores } from './stores.ts'

const RPC_TIMEOUT_MS = 5_000
type Deployed = NonNullable<Examined['deployed']>

/** Examines the things that the configuration names; the others belong to another process. */
export async function examineAnchoring(address: Address, deployed: Deployed): Promise<readonly Finding[]> {
  const { chain, rules, served } = deployed
  const batchGas = served.reduce((max, market) => Math.max(max, rulesOfMarket(rules, market).batchGasMax), 0)
  const urls = rpcUrlsOf(address.chain)
  const findings = (await Promise.all(urls.map((url) => examineNode(url, chain.chainId, batchGas)))).flat()
  if (urls.length === 0) findings.push(notLookedAt('chain', 'no node is named: --rpc, chain.rpcUrls'))
  else findings.push(agreementOf(urls.length, address.chain.agreement))
  if (urls.length > 0) findings.push(...(await examineContract(urls, address.anchor, deployed)))
  if (!address.anchor.signerKeyFile || urls.length === 0)
    findings.push(notLookedAt('signer', 'its key file or a node is not named: anchor.signerKeyFile, chain.rpcUrls'))
  return [...findings, ...(await examineStores(address.storage))]
}

/** The markets and the registry of slots, and whether the signers may send to the contract. */
async function examineContract(
  urls: readonly string[],
  { signerKeyFile, formerSignerKeyFiles }: Address['anchor'],
  deployed: Deployed,
): Promise<readonly Finding[]> {
  const { chain, rules, served, slotTable } = deployed
  const rpc = createRpc(
    { urls, chainId: chain.chainId, timeoutMs: RPC_TIMEOUT_MS, batchMax: 1 },
    { clock: systemClock },
  )
  const { protocolState } = chain
  const findings = [...(await examineMarkets(rpc, { protocolState, rules, served, slotTable }))]
  const files = signerKeyFile ? [signerKeyFile, ...formerSignerKeyFiles] : []
  for (const file of files) findings.push(...(await signer(file, rpc, deployed)))
  rpc.close()
  return findings
}

/** The meaning of the number of nodes and their agreement. */
function agreementOf(nodes: number, agreement: number): Finding {
  const check = 'agreement'
  if (agreement > nodes) {
    const advice = 'Add nodes to chain.rpcUrls, or lower chain.agreement.'
    return { check, ok: false, detail: `${agreement} nodes must say the same, and ${nodes} are named`, advice }
  }
  const spare = nodes - agreement
  const away = spare === 0 ? 'when one is away, everything waits' : `${spare} may be away, behind or odd`
  if (agreement > 1) return { check, ok: true, detail: `${agreement} of ${nodes} nodes must say the same: ${away}` }
  const detail =
    nodes === 1
      ? 'one node: its word on blocks, epochs, slots and transactions is believed, and when it is away everything waits'
      : `${nodes} nodes, one at a time: each is believed, and when one fails the next is asked. chain.agreement: 2 would hold them against each other`
  return { check, ok: true, detail }
}

async function signer(file: string, rpc: Rpc, { chain, served }: Deployed): Promise<readonly Finding[]> {
  try {
    const { address } = createSigner(readSignerKey(file), chain.chainId)
    const wei = await rpc.read((ask) => balanceOf(ask, address))
    const findings: Finding[] = [
      {
        check: 'signer',
        ok: wei > 0n,
        detail: `${address} of ${file} has ${coin(wei)} of the chain’s coin`,
        ...(wei === 0n && { advice: 'Send it what its transactions cost.' }),
      },
    ]
    for (const dataMarket of served) findings.push(await membership(address, dataMarket, chain.protocolState, rpc))
    return findings
  } catch (error) {
    return [failed('signer', error, 'Check anchor.signerKeyFile and the nodes.')]
  }
}

async function membership(address: string, dataMarket: string, protocolState: string, rpc: Rpc): Promise<Finding> {
  const [sequencers] = await rpc.read((ask) =>
    readContract(ask, protocolState, 'getSequencers', [dataMarket], 'latest'),
  )
  const ok = (sequencers as readonly string[]).includes(getAddress(address))
  return {
    check: 'role',
    ok,
    detail: `${address} is ${ok ? 'a' : 'no'} sequencer of ${dataMarket}`,
    ...(!ok && { advice: `The owner of the market adds it: updateAddresses(${dataMarket}, 1, [${address}], [true]).` }),
  }
}
