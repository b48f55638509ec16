/**
 * The calls and events of the deployed contracts, as far as a sequencer or one who checks it uses them. A test compares
 * every selector and topic with the deployed ones. Source: Powerloom protocol-contracts, ProtocolState, DataMarket, Nodes.
 */
import { AbiCoder, type FunctionFragment, Interface } from 'ethers'

const PROTOCOL_STATE_ABI = [
  'function releaseEpoch(address dataMarket, uint256 begin, uint256 end)',
  'function forceSkipEpoch(address dataMarket, uint256 begin, uint256 end)',
  'function submitSubmissionBatch(address dataMarket, string batchCid, uint256 epochId, string[] projectIds, string[] snapshotCids, bytes32 finalizedCidsRootHash)',
  'function endBatchSubmissions(address dataMarket, uint256 epochId)',
  'function submitBatchAttestation(address dataMarket, string batchCid, uint256 epochId, bytes32 finalizedCidsRootHash)',
  'function forceCompleteConsensusAttestations(address dataMarket, string batchCid, uint256 epochId)',
  'function updateRewards(address dataMarket, uint256[] slotIds, uint256[] submissions, uint256 day, uint256 eligibleNodes)',
  'function createDataMarket(address owner, uint8 epochSize, uint256 sourceChainId, uint256 sourceChainBlockTime, bool useBlockNumberAsEpochId)',
  'function updateAddresses(address dataMarket, uint8 role, address[] addresses, bool[] allowed)',
  'function updateEpochManager(address dataMarket, address epochManager)',
  'function updateSnapshotSubmissionWindow(address dataMarket, uint256 window)',
  'function updateBatchSubmissionWindow(address dataMarket, uint256 window)',
  'function updateAttestationSubmissionWindow(address dataMarket, uint256 window)',
  'function toggleDataMarket(address dataMarket, bool enabled)',
  'function dataMarketEnabled(address dataMarket) view returns (bool)',
  'function currentEpoch(address dataMarket) view returns (uint256 begin, uint256 end, uint256 epochId)',
  'function epochInfo(address dataMarket, uint256 epochId) view returns (uint256 timestamp, uint256 blocknumber, uint256 epochEnd)',
  'function snapshotSubmissionWindow(address dataMarket) view returns (uint256)',
  'function batchSubmissionWindow(address dataMarket) view returns (uint256)',
  'function attestationSubmissionWindow(address dataMarket) view returns (uint256)',
  'function dayCounter(address dataMarket) view returns (uint256)',
  'function epochsInADay(address dataMarket) view returns (uint256)',
  'function dailySnapshotQuota(address dataMarket) view returns (uint256)',
  'function rewardPoolSize(address dataMarket) view returns (uint256)',
  'function DAY_SIZE(address dataMarket) view returns (uint256)',
  'function EPOCH_SIZE(address dataMarket) view returns (uint8)',
  'function SOURCE_CHAIN_BLOCK_TIME(address dataMarket) view returns (uint256)',
  'function getSequencers(address dataMarket) view returns (address[])',
  'function getValidators(address dataMarket) view returns (address[])',
  'function maxSnapshotsCid(address dataMarket, string projectId, uint256 epochId) view returns (string snapshotCid, uint8 status)',
  'function snapshotStatus(address dataMarket, string projectId, uint256 epochId) view returns (uint8 status, string snapshotCid, uint256 timestamp)',
  'function epochIdToBatchCids(address dataMarket, uint256 epochId) view returns (string[])',
  'function batchCidToProjects(address dataMarket, string batchCid) view returns (string[])',
  'function batchCidSequencerAttestation(address dataMarket, string batchCid) view returns (bytes32)',
  'function batchCidAttestationStatus(address dataMarket, string batchCid) view returns (bool)',
  'function slotSubmissionCount(address dataMarket, uint256 slotId, uint256 day) view returns (uint256)',
  'function slotSnapshotterMapping(uint256 slotId) view returns (address)',
  'function getTotalNodeCount() view returns (uint256)',
  'function snapshotterState() view returns (address)',
  'function getSlotInfo(address dataMarket, uint256 slotId) view returns (uint256 slotId_, address snapshotterAddress, uint256 rewardPoints, uint256 currentDaySnapshotCount)',
  'function getSequencerId(address dataMarket) view returns (string)',
  'event EpochReleased(address indexed dataMarket, uint256 indexed epochId, uint256 begin, uint256 end, uint256 timestamp)',
  'event DayStartedEvent(address indexed dataMarket, uint256 dayId, uint256 timestamp)',
  'event SnapshotBatchSubmitted(address indexed dataMarket, string batchCid, uint256 indexed epochId, uint256 timestamp)',
  'event DelayedBatchSubmitted(address indexed dataMarket, string batchCid, uint256 indexed epochId, uint256 timestamp)',
  'event BatchSubmissionsCompleted(address indexed dataMarket, uint256 indexed epochId, uint256 timestamp)',
  'event SnapshotBatchAttestationSubmitted(address indexed dataMarket, string batchCid, uint256 indexed epochId, uint256 timestamp, address indexed validator)',
  'event DelayedAttestationSubmitted(address indexed dataMarket, string batchCid, uint256 indexed epochId, uint256 timestamp, address indexed validator)',
  'event SnapshotFinalized(address indexed dataMarket, uint256 indexed epochId, uint256 epochEnd, string projectId, string snapshotCid, uint256 timestamp)',
  'event SnapshotBatchFinalized(address indexed dataMarket, uint256 indexed epochId, string indexed batchCid, uint256 timestamp)',
  'event TriggerBatchResubmission(address indexed dataMarket, uint256 indexed epochId, string indexed batchCid, uint256 timestamp)',
  'event ValidatorAttestationsInvalidated(address indexed dataMarket, uint256 indexed epochId, string indexed batchCid, address validator, uint256 timestamp)',
  'event DailyTaskCompletedEvent(address indexed dataMarket, address snapshotter, uint256 slotId, uint256 dayId, uint256 timestamp)',
  'event RewardsDistributedEvent(address indexed dataMarket, address snapshotter, uint256 slotId, uint256 dayId, uint256 points, uint256 timestamp)',
  'event SequencersUpdated(address indexed dataMarket, address sequencer, bool allowed)',
  'event ValidatorsUpdated(address indexed dataMarket, address validator, bool allowed)',
  'event AdminsUpdated(address indexed dataMarket, address admin, bool allowed)',
  'event DataMarketCreated(address indexed owner, uint8 epochSize, uint256 sourceChainId, uint256 sourceChainBlockTime, bool useBlockNumberAsEpochId, address protocolState, address dataMarket)',
] as const

const DATA_MARKET_ABI = [
  'function epochIdToBatchSubmissionsCompleted(uint256 epochId) view returns (bool)',
  'function eligibleNodesForDay(uint256 day) view returns (uint256)',
  'function slotsRemainingToBeRewardedCount(uint256 day) view returns (uint256)',
  'function slotRewardsDistributedStatus(uint256 day, uint256 slotId) view returns (bool)',
] as const

/**
 * The registry of slots, whose address `ProtocolState.snapshotterState()` gives. Its three events are all that ever
 * changes a slot's owner or activity: minted (no owner, inactive), assigned (active), burned (no owner, inactive).
 * `oldSnapshotter` is set after the change in the deployed contract and so equals `newSnapshotter`: it is not read.
 */
const NODES_ABI = [
  'function isNodeAvailable(uint256 nodeId) view returns (bool)',
  'function nodeInfo(uint256 nodeId) view returns (address snapshotterAddress, uint256 nodePrice, uint256 amountSentOnL1, uint256 mintedOn, uint256 burnedOn, uint256 lastUpdated, bool isLegacy, bool claimedTokens, bool active, bool isKyced)',
  'event NodeMinted(address indexed to, uint256 nodeId)',
  'event NodeBurned(address indexed from, uint256 nodeId)',
  'event SnapshotterAddressChanged(uint256 nodeId, address oldSnapshotter, address newSnapshotter)',
] as const

/** Bound on the size of a decoded value, as a factor on its bytes: several places in them may point to the same one. */
const INFLATION_MAX = 4
AbiCoder._setDefaultMaxInflation(INFLATION_MAX)

/** At each call ethers looks for the function among all, and hashes its signature; here that is done once. No name may be there twice. */
class ContractInterface extends Interface {
  private readonly known = new Map<string, FunctionFragment>()

  constructor(abi: readonly string[]) {
    super(abi)
    this.forEachFunction((fragment) => {
      const { name, selector } = fragment
      Object.defineProperty(fragment, 'selector', { value: selector })
      for (const key of [name, selector]) this.known.set(key, fragment)
    })
  }

  override getFunction(...[key, values]: Parameters<Interface['getFunction']>): FunctionFragment | null {
    return (values === undefined && this.known.get(key)) || super.getFunction(key, values)
  }
}

export const protocolStateInterface: Interface = new ContractInterface(PROTOCOL_STATE_ABI)
export const dataMarketInterface: Interface = new ContractInterface(DATA_MARKET_ABI)
export const nodesInterface: Interface = new ContractInterface(NODES_ABI)
