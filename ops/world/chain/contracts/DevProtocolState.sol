// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// A data market of the development chain. On a real deployment it is a contract of its own to which ProtocolState
/// forwards; here it only gives the market its address and the reads that ProtocolState does not offer.
contract DevDataMarket {
    DevProtocolState public immutable protocolState;

    constructor(DevProtocolState protocolState_) {
        protocolState = protocolState_;
    }

    function epochIdToBatchSubmissionsCompleted(uint256 epochId) external view returns (bool) {
        return protocolState.devBatchSubmissionsCompleted(address(this), epochId);
    }

    function eligibleNodesForDay(uint256 day) external view returns (uint256) {
        return protocolState.devEligibleNodes(address(this), day);
    }

    function slotsRemainingToBeRewardedCount(uint256 day) external view returns (uint256) {
        return protocolState.devSlotsRemaining(address(this), day);
    }

    function slotRewardsDistributedStatus(uint256 day, uint256 slotId) external view returns (bool) {
        return protocolState.devIsRewarded(address(this), day, slotId);
    }
}

/// The protocol state of the development chain: the calls, events, reverts and windows that the sequencer touches, with
/// the selectors and topics of the deployed contracts. One contract plays ProtocolState, the Nodes registry (so
/// `snapshotterState()` is its own address, until `updateSnapshotterState` names another of its kind) and keeps the state of
/// every data market.
/// Not here: claims of rewards, proxies, minting for money; the owner of a slot is its snapshotter. Names that begin with `dev` exist only here.
contract DevProtocolState {
    enum SnapshotStatus { PENDING, FINALIZED }
    enum Role { VALIDATOR, SEQUENCER, ADMIN }

    struct EpochInfo { uint256 timestamp; uint256 blocknumber; uint256 epochEnd; }
    struct Epoch { uint256 begin; uint256 end; uint256 epochId; }
    struct Status { SnapshotStatus status; string snapshotCid; uint256 timestamp; }
    struct NodeInfo {
        address snapshotterAddress;
        uint256 nodePrice;
        uint256 amountSentOnL1;
        uint256 mintedOn;
        uint256 burnedOn;
        uint256 lastUpdated;
        bool isLegacy;
        bool claimedTokens;
        bool active;
        bool isKyced;
    }

    struct Batch {
        uint256 epochId;
        bytes32 sequencerRoot;
        bytes32 leadingRoot;
        uint256 leadingCount;
        bool attested;
        string[] projects;
        mapping(bytes32 => uint256) countOfRoot;
        mapping(address => bool) attestedBy;
    }

    struct Market {
        bool exists;
        bool enabled;
        bool blockNumberAsEpochId;
        uint8 epochSize;
        uint256 sourceChainBlockTime;
        uint256 daySize;
        uint256 dayCounter;
        uint256 dailySnapshotQuota;
        uint256 rewardPoolSize;
        address epochManager;
        uint256 snapshotWindow;
        uint256 batchWindow;
        uint256 attestationWindow;
        uint256 minAttestations;
        Epoch current;
        address[] sequencers;
        address[] validators;
        mapping(address => bool) isSequencer;
        mapping(address => bool) isValidator;
        mapping(uint256 => EpochInfo) epochs;
        mapping(uint256 => string[]) batchCids;
        mapping(uint256 => bool) completed;
        mapping(string => Batch) batches;
        mapping(string => mapping(uint256 => Status)) snapshots;
        mapping(uint256 => Day) rewardDays;
        mapping(uint256 => uint256) slotRewardPoints;
    }

    /// What is told and paid of a day.
    struct Day {
        uint256 eligibleNodes;
        uint256 slotsRemaining;
        mapping(uint256 => uint256) submissions;
        mapping(uint256 => bool) isRewarded;
    }

    struct UserInfo { uint256 totalRewards; uint256 totalClaimed; uint256 lastClaimed; uint256 lastUpdated; }

    /// In units of 1e-4 s, as in the deployed contracts.
    uint256 private constant DAY = 864_000_000;
    uint256 private constant QUOTA = 1_000;

    address public immutable owner;
    /// By market id, from 1.
    mapping(uint256 => address) public dataMarketIdToAddress;
    uint256 public dataMarketCount;
    mapping(uint256 => NodeInfo) public nodeInfo;
    uint256 public nodeCount;
    mapping(address => Market) private markets;
    /// What can be claimed, which only a call with a number of eligible nodes adds to.
    mapping(address => UserInfo) public userInfo;
    mapping(uint256 => uint256) public slotRewards;
    /// Another registry of slots; zero: this contract.
    address private otherNodes;

    event DataMarketCreated(address indexed ownerAddress, uint8 epochSize, uint256 sourceChainId, uint256 sourceChainBlockTime, bool useBlockNumberAsEpochId, address protocolState, address dataMarketAddress);
    event SequencersUpdated(address indexed dataMarketAddress, address sequencerAddress, bool allowed);
    event ValidatorsUpdated(address indexed dataMarketAddress, address validatorAddress, bool allowed);
    event AdminsUpdated(address indexed dataMarketAddress, address adminAddress, bool allowed);
    event EpochReleased(address indexed dataMarketAddress, uint256 indexed epochId, uint256 begin, uint256 end, uint256 timestamp);
    event DayStartedEvent(address indexed dataMarketAddress, uint256 dayId, uint256 timestamp);
    event DailyTaskCompletedEvent(address indexed dataMarketAddress, address snapshotterAddress, uint256 slotId, uint256 dayId, uint256 timestamp);
    event RewardsDistributedEvent(address indexed dataMarketAddress, address snapshotterAddress, uint256 slotId, uint256 dayId, uint256 rewardPoints, uint256 timestamp);
    event SnapshotBatchSubmitted(address indexed dataMarketAddress, string batchCid, uint256 indexed epochId, uint256 timestamp);
    event DelayedBatchSubmitted(address indexed dataMarketAddress, string batchCid, uint256 indexed epochId, uint256 timestamp);
    event BatchSubmissionsCompleted(address indexed dataMarketAddress, uint256 indexed epochId, uint256 timestamp);
    event SnapshotBatchAttestationSubmitted(address indexed dataMarketAddress, string batchCid, uint256 indexed epochId, uint256 timestamp, address indexed validatorAddr);
    event DelayedAttestationSubmitted(address indexed dataMarketAddress, string batchCid, uint256 indexed epochId, uint256 timestamp, address indexed validatorAddr);
    event SnapshotFinalized(address indexed dataMarketAddress, uint256 indexed epochId, uint256 epochEnd, string projectId, string snapshotCid, uint256 timestamp);
    event SnapshotBatchFinalized(address indexed dataMarketAddress, uint256 indexed epochId, string indexed batchCid, uint256 timestamp);
    event TriggerBatchResubmission(address indexed dataMarketAddress, uint256 indexed epochId, string indexed batchCid, uint256 timestamp);
    /// Events of the Nodes registry. In the deployed one `oldSnapshotter` already holds the new address: do not read it.
    event NodeMinted(address indexed to, uint256 nodeId);
    event NodeBurned(address indexed from, uint256 nodeId);
    event SnapshotterAddressChanged(uint256 nodeId, address oldSnapshotter, address newSnapshotter);

    modifier onlyOwner() {
        require(msg.sender == owner, "E03");
        _;
    }

    modifier known(address dataMarket) {
        require(markets[dataMarket].exists, "unknown data market");
        _;
    }

    constructor() {
        owner = msg.sender;
    }

    // Epochs

    function releaseEpoch(address dataMarket, uint256 begin, uint256 end) external known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.enabled, "E02");
        require(msg.sender == market.epochManager, "E05");
        require(end >= begin, "E20");
        require(end - begin + 1 == market.epochSize, "E21");
        require(market.current.epochId == 0 || begin == market.current.end + 1, "E22");
        enter(dataMarket, market, begin, end, market.blockNumberAsEpochId ? end : market.current.epochId + 1);
    }

    /// Passes over epochs: of those there is nothing afterwards. To the end that the market is at, the same epoch is released again.
    function forceSkipEpoch(address dataMarket, uint256 begin, uint256 end) external onlyOwner known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.enabled, "E02");
        require(end >= begin, "E20");
        require(end - begin + 1 == market.epochSize, "E21");
        uint256 distance = end - market.current.end;
        require(distance % market.epochSize == 0, "E21");
        uint256 next = market.current.epochId + distance / market.epochSize;
        enter(dataMarket, market, begin, end, market.blockNumberAsEpochId ? end : next);
    }

    function enter(address dataMarket, Market storage market, uint256 begin, uint256 end, uint256 epochId) private {
        market.current = Epoch(begin, end, epochId);
        market.epochs[epochId] = EpochInfo(block.timestamp, block.number, end);
        uint256 perDay = epochsInADay(dataMarket);
        if (epochId > 1 && perDay > 1 && epochId % perDay == 1) {
            market.dayCounter++;
            emit DayStartedEvent(dataMarket, market.dayCounter, block.timestamp);
        }
        emit EpochReleased(dataMarket, epochId, begin, end, block.timestamp);
    }

    function currentEpoch(address dataMarket) external view returns (uint256 begin, uint256 end, uint256 epochId) {
        Epoch storage epoch = markets[dataMarket].current;
        return (epoch.begin, epoch.end, epoch.epochId);
    }

    function epochInfo(address dataMarket, uint256 epochId) external view returns (uint256 timestamp, uint256 blocknumber, uint256 epochEnd) {
        EpochInfo storage info = markets[dataMarket].epochs[epochId];
        return (info.timestamp, info.blocknumber, info.epochEnd);
    }

    // Batches

    function submitSubmissionBatch(address dataMarket, string calldata batchCid, uint256 epochId, string[] calldata projectIds, string[] calldata snapshotCids, bytes32 finalizedCidsRootHash) external known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.isSequencer[msg.sender], "E04");
        // A late batch is accepted without a revert and without a look at it; nothing of it is kept.
        if (block.number > market.epochs[epochId].blocknumber + market.batchWindow) {
            emit DelayedBatchSubmitted(dataMarket, batchCid, epochId, block.timestamp);
            return;
        }
        require(projectIds.length == snapshotCids.length, "E23");
        require(projectIds.length != 0, "E24");
        require(!market.completed[epochId], "E43");
        Batch storage batch = market.batches[batchCid];
        delete batch.projects;
        for (uint256 i = 0; i < projectIds.length; i++) {
            Status storage snapshot = market.snapshots[projectIds[i]][epochId];
            require(snapshot.timestamp == 0, "E25");
            snapshot.snapshotCid = snapshotCids[i];
            snapshot.timestamp = block.timestamp;
            batch.projects.push(projectIds[i]);
        }
        market.batchCids[epochId].push(batchCid);
        batch.epochId = epochId;
        batch.sequencerRoot = finalizedCidsRootHash;
        emit SnapshotBatchSubmitted(dataMarket, batchCid, epochId, block.timestamp);
    }

    function endBatchSubmissions(address dataMarket, uint256 epochId) external known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.isSequencer[msg.sender], "E04");
        require(!market.completed[epochId], "E39");
        market.completed[epochId] = true;
        emit BatchSubmissionsCompleted(dataMarket, epochId, block.timestamp);
    }

    // Attestations

    function submitBatchAttestation(address dataMarket, string calldata batchCid, uint256 epochId, bytes32 finalizedCidsRootHash) external known(dataMarket) {
        Market storage market = markets[dataMarket];
        Batch storage batch = market.batches[batchCid];
        require(market.isValidator[msg.sender], "E01");
        require(batch.projects.length != 0 && batch.epochId == epochId, "E26");
        require(!batch.attestedBy[msg.sender], "E40");
        if (block.number > market.epochs[epochId].blocknumber + market.attestationWindow) {
            emit DelayedAttestationSubmitted(dataMarket, batchCid, epochId, block.timestamp, msg.sender);
            return;
        }
        batch.attestedBy[msg.sender] = true;
        uint256 count = ++batch.countOfRoot[finalizedCidsRootHash];
        if (count > batch.leadingCount) {
            batch.leadingCount = count;
            batch.leadingRoot = finalizedCidsRootHash;
        }
        emit SnapshotBatchAttestationSubmitted(dataMarket, batchCid, epochId, block.timestamp, msg.sender);
        bool majority = batch.leadingCount * 2 > market.validators.length && batch.leadingCount >= market.minAttestations;
        if (majority && !batch.attested) settle(dataMarket, market, batch, batchCid, epochId);
    }

    /// The majority agrees with the sequencer: every project of the batch is final. It does not: the event, and nothing else.
    function settle(address dataMarket, Market storage market, Batch storage batch, string calldata batchCid, uint256 epochId) private {
        if (batch.leadingRoot != batch.sequencerRoot) {
            emit TriggerBatchResubmission(dataMarket, epochId, batchCid, block.timestamp);
            return;
        }
        batch.attested = true;
        uint256 epochEnd = market.epochs[epochId].epochEnd;
        for (uint256 i = 0; i < batch.projects.length; i++) {
            Status storage snapshot = market.snapshots[batch.projects[i]][epochId];
            snapshot.status = SnapshotStatus.FINALIZED;
            snapshot.timestamp = block.timestamp;
            emit SnapshotFinalized(dataMarket, epochId, epochEnd, batch.projects[i], snapshot.snapshotCid, block.timestamp);
        }
        emit SnapshotBatchFinalized(dataMarket, epochId, batchCid, block.timestamp);
    }

    function snapshotStatus(address dataMarket, string calldata projectId, uint256 epochId) external view returns (SnapshotStatus status, string memory snapshotCid, uint256 timestamp) {
        Status storage snapshot = markets[dataMarket].snapshots[projectId][epochId];
        return (snapshot.status, snapshot.snapshotCid, snapshot.timestamp);
    }

    function maxSnapshotsCid(address dataMarket, string calldata projectId, uint256 epochId) external view returns (string memory snapshotCid, SnapshotStatus status) {
        Status storage snapshot = markets[dataMarket].snapshots[projectId][epochId];
        return (snapshot.snapshotCid, snapshot.status);
    }

    function epochIdToBatchCids(address dataMarket, uint256 epochId) external view returns (string[] memory) {
        return markets[dataMarket].batchCids[epochId];
    }

    function batchCidToProjects(address dataMarket, string calldata batchCid) external view returns (string[] memory) {
        return markets[dataMarket].batches[batchCid].projects;
    }

    function batchCidSequencerAttestation(address dataMarket, string calldata batchCid) external view returns (bytes32) {
        return markets[dataMarket].batches[batchCid].sequencerRoot;
    }

    function batchCidAttestationStatus(address dataMarket, string calldata batchCid) external view returns (bool) {
        return markets[dataMarket].batches[batchCid].attested;
    }

    function devBatchSubmissionsCompleted(address dataMarket, uint256 epochId) external view returns (bool) {
        return markets[dataMarket].completed[epochId];
    }

    // Rewards

    /// As deployed, in one contract: a count is set, not added. A slot that is burned is passed over without a word. The first
    /// number of eligible nodes of a day stays; from then on a slot that reaches the quota is paid by any call, and more of
    /// them than the number underflow (Panic 0x11).
    function updateRewards(address dataMarket, uint256[] memory slotIds, uint256[] memory submissionsList, uint256 day, uint256 eligibleNodes) external known(dataMarket) {
        Market storage market = markets[dataMarket];
        Day storage at = market.rewardDays[day];
        if (eligibleNodes != 0) {
            require(market.isSequencer[msg.sender], "E04");
            if (at.eligibleNodes == 0) {
                at.eligibleNodes = eligibleNodes;
                at.slotsRemaining = eligibleNodes;
            } else {
                require(at.slotsRemaining != 0, "E47");
            }
        }
        for (uint256 i = 0; i < slotIds.length; i++) {
            if (!reward(market, at, slotIds[i], submissionsList[i], day)) continue;
            address snapshotter = nodeInfo[slotIds[i]].snapshotterAddress;
            emit DailyTaskCompletedEvent(dataMarket, snapshotter, slotIds[i], day, block.timestamp);
            if (eligibleNodes == 0) continue;
            uint256 rewards = market.rewardPoolSize / at.eligibleNodes;
            userInfo[snapshotter].totalRewards += rewards;
            userInfo[snapshotter].lastUpdated = block.timestamp;
            slotRewards[slotIds[i]] += rewards;
            emit RewardsDistributedEvent(dataMarket, snapshotter, slotIds[i], day, rewards, block.timestamp);
        }
    }

    /// What the data market does for a slot. Whether it has reached the quota.
    function reward(Market storage market, Day storage at, uint256 slotId, uint256 submissions, uint256 day) private returns (bool) {
        require(market.isSequencer[msg.sender], "E04");
        require(day == market.dayCounter || day == market.dayCounter - 1, "E38");
        if (!DevProtocolState(snapshotterState()).isNodeAvailable(slotId)) return false;
        if (at.isRewarded[slotId]) revert("E48");
        at.submissions[slotId] = submissions;
        if (submissions < market.dailySnapshotQuota) return false;
        if (at.eligibleNodes != 0) {
            market.slotRewardPoints[slotId] += market.rewardPoolSize / at.eligibleNodes;
            at.isRewarded[slotId] = true;
            at.slotsRemaining--;
        }
        return true;
    }

    function slotSubmissionCount(address dataMarket, uint256 slotId, uint256 day) external view returns (uint256) {
        return markets[dataMarket].rewardDays[day].submissions[slotId];
    }

    function loadSlotSubmissions(address dataMarket, uint256 slotId, uint256 day, uint256 snapshotCount) external onlyOwner known(dataMarket) {
        markets[dataMarket].rewardDays[day].submissions[slotId] = snapshotCount;
    }

    function slotRewardPoints(address dataMarket, uint256 slotId) external view returns (uint256) {
        return markets[dataMarket].slotRewardPoints[slotId];
    }

    function dailySnapshotQuota(address dataMarket) external view known(dataMarket) returns (uint256) {
        return markets[dataMarket].dailySnapshotQuota;
    }

    function updateDailySnapshotQuota(address dataMarket, uint256 quota) external onlyOwner known(dataMarket) {
        require(quota != 0, "E45");
        markets[dataMarket].dailySnapshotQuota = quota;
    }

    function rewardPoolSize(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].rewardPoolSize;
    }

    function updateRewardPoolSize(address dataMarket, uint256 size) external onlyOwner known(dataMarket) {
        markets[dataMarket].rewardPoolSize = size;
    }

    function devEligibleNodes(address dataMarket, uint256 day) external view returns (uint256) {
        return markets[dataMarket].rewardDays[day].eligibleNodes;
    }

    function devSlotsRemaining(address dataMarket, uint256 day) external view returns (uint256) {
        return markets[dataMarket].rewardDays[day].slotsRemaining;
    }

    function devIsRewarded(address dataMarket, uint256 day, uint256 slotId) external view returns (bool) {
        return markets[dataMarket].rewardDays[day].isRewarded[slotId];
    }

    // Windows, all in blocks from the block that released the epoch

    function snapshotSubmissionWindow(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].snapshotWindow;
    }

    function batchSubmissionWindow(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].batchWindow;
    }

    function attestationSubmissionWindow(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].attestationWindow;
    }

    function updateSnapshotSubmissionWindow(address dataMarket, uint256 window) external onlyOwner known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.batchWindow == 0 || window < market.batchWindow, "E41");
        market.snapshotWindow = window;
    }

    function updateBatchSubmissionWindow(address dataMarket, uint256 window) external onlyOwner known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(window > market.snapshotWindow, "E41");
        require(market.attestationWindow == 0 || window < market.attestationWindow, "E42");
        market.batchWindow = window;
    }

    function updateAttestationSubmissionWindow(address dataMarket, uint256 window) external onlyOwner known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(market.batchWindow > 0 && window > market.batchWindow, "E42");
        market.attestationWindow = window;
    }

    /// All three at once, so that they can also shrink.
    function devSetWindows(address dataMarket, uint256 snapshotWindow, uint256 batchWindow, uint256 attestationWindow) external onlyOwner known(dataMarket) {
        require(batchWindow > snapshotWindow, "E41");
        require(attestationWindow > batchWindow, "E42");
        Market storage market = markets[dataMarket];
        market.snapshotWindow = snapshotWindow;
        market.batchWindow = batchWindow;
        market.attestationWindow = attestationWindow;
    }

    // Data markets and who may do what in them

    /// `sourceChainBlockTime` in units of 1e-4 s. The data market gets an address of its own, which the event tells.
    function createDataMarket(address ownerAddress, uint8 epochSize, uint256 sourceChainId, uint256 sourceChainBlockTime, bool useBlockNumberAsEpochId) external onlyOwner {
        require(!useBlockNumberAsEpochId || epochSize == 1, "E10");
        require(epochSize != 0, "E21");
        address dataMarket = address(new DevDataMarket(this));
        dataMarketIdToAddress[++dataMarketCount] = dataMarket;
        Market storage market = markets[dataMarket];
        market.exists = true;
        market.enabled = true;
        market.blockNumberAsEpochId = useBlockNumberAsEpochId;
        market.epochSize = epochSize;
        market.sourceChainBlockTime = sourceChainBlockTime;
        market.daySize = DAY;
        market.dayCounter = 1;
        market.dailySnapshotQuota = QUOTA;
        market.minAttestations = 2;
        emit DataMarketCreated(ownerAddress, epochSize, sourceChainId, sourceChainBlockTime, useBlockNumberAsEpochId, address(this), dataMarket);
    }

    function toggleDataMarket(address dataMarket, bool enabled) external onlyOwner known(dataMarket) {
        markets[dataMarket].enabled = enabled;
    }

    function dataMarketEnabled(address dataMarket) external view returns (bool) {
        return markets[dataMarket].enabled;
    }

    function updateEpochManager(address dataMarket, address epochManager) external onlyOwner known(dataMarket) {
        markets[dataMarket].epochManager = epochManager;
    }

    function updateMinAttestationsForConsensus(address dataMarket, uint256 count) external onlyOwner known(dataMarket) {
        markets[dataMarket].minAttestations = count;
    }

    function updateAddresses(address dataMarket, Role role, address[] calldata addresses, bool[] calldata allowed) external onlyOwner known(dataMarket) {
        Market storage market = markets[dataMarket];
        require(addresses.length == allowed.length, "lengths differ");
        for (uint256 i = 0; i < addresses.length; i++) {
            if (role == Role.VALIDATOR) {
                setMember(market.validators, market.isValidator, addresses[i], allowed[i]);
                emit ValidatorsUpdated(dataMarket, addresses[i], allowed[i]);
            } else if (role == Role.SEQUENCER) {
                setMember(market.sequencers, market.isSequencer, addresses[i], allowed[i]);
                emit SequencersUpdated(dataMarket, addresses[i], allowed[i]);
            } else {
                emit AdminsUpdated(dataMarket, addresses[i], allowed[i]);
            }
        }
    }

    function setMember(address[] storage members, mapping(address => bool) storage isMember, address member, bool allowed) private {
        if (isMember[member] == allowed) return;
        isMember[member] = allowed;
        if (allowed) {
            members.push(member);
            return;
        }
        uint256 i = 0;
        while (members[i] != member) i++;
        members[i] = members[members.length - 1];
        members.pop();
    }

    function getSequencers(address dataMarket) external view returns (address[] memory) {
        return markets[dataMarket].sequencers;
    }

    function getValidators(address dataMarket) external view returns (address[] memory) {
        return markets[dataMarket].validators;
    }

    function dayCounter(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].dayCounter;
    }

    function epochsInADay(address dataMarket) public view returns (uint256) {
        Market storage market = markets[dataMarket];
        uint256 epochDuration = market.sourceChainBlockTime * market.epochSize;
        return epochDuration == 0 ? 0 : market.daySize / epochDuration;
    }

    function loadCurrentDay(address dataMarket, uint256 day) external onlyOwner known(dataMarket) {
        markets[dataMarket].dayCounter = day;
    }

    function DAY_SIZE(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].daySize;
    }

    /// In the deployed contracts the size of a day stays as it was at the creation of the market.
    function devSetDaySize(address dataMarket, uint256 size) external onlyOwner known(dataMarket) {
        markets[dataMarket].daySize = size;
    }

    function EPOCH_SIZE(address dataMarket) external view returns (uint8) {
        return markets[dataMarket].epochSize;
    }

    function SOURCE_CHAIN_BLOCK_TIME(address dataMarket) external view returns (uint256) {
        return markets[dataMarket].sourceChainBlockTime;
    }

    // Slots

    function snapshotterState() public view returns (address) {
        return otherNodes == address(0) ? address(this) : otherNodes;
    }

    /// Without an event, as deployed.
    function updateSnapshotterState(address nodes) external onlyOwner {
        otherNodes = nodes;
    }

    /// Highest slot id; slots count from 1.
    function getTotalNodeCount() external view returns (uint256) {
        return DevProtocolState(snapshotterState()).nodeCount();
    }

    /// Of the registry: what was minted and not burned, whoever has it.
    function isNodeAvailable(uint256 nodeId) external view returns (bool) {
        return nodeInfo[nodeId].burnedOn == 0 && nodeId <= nodeCount;
    }

    function slotSnapshotterMapping(uint256 slotId) external view returns (address) {
        return nodeInfo[slotId].snapshotterAddress;
    }

    function getSlotInfo(address dataMarket, uint256 slotId) external view returns (uint256 id, address snapshotterAddress, uint256 rewardPoints, uint256 currentDaySnapshotCount) {
        Market storage market = markets[dataMarket];
        uint256 count = market.rewardDays[market.dayCounter].submissions[slotId];
        return (slotId, nodeInfo[slotId].snapshotterAddress, market.slotRewardPoints[slotId], count);
    }

    /// Unlike the deployed registry this mints what does not exist yet, under any id.
    function assignSnapshotterToNodeBulkAdmin(uint256[] calldata nodeIds, address[] calldata snapshotters) external onlyOwner {
        require(nodeIds.length == snapshotters.length, "lengths differ");
        for (uint256 i = 0; i < nodeIds.length; i++) {
            require(nodeIds[i] != 0 && snapshotters[i] != address(0), "zero slot or address");
            NodeInfo storage node = nodeInfo[nodeIds[i]];
            require(node.burnedOn == 0, "Node is burned");
            if (node.mintedOn == 0) {
                node.mintedOn = block.timestamp;
                if (nodeIds[i] > nodeCount) nodeCount = nodeIds[i];
                emit NodeMinted(msg.sender, nodeIds[i]);
            }
            node.active = true;
            node.snapshotterAddress = snapshotters[i];
            node.lastUpdated = block.timestamp;
            emit SnapshotterAddressChanged(nodeIds[i], snapshotters[i], snapshotters[i]);
        }
    }

    function burnNode(uint256 nodeId) external onlyOwner {
        NodeInfo storage node = nodeInfo[nodeId];
        require(node.mintedOn != 0 && node.burnedOn == 0, "Node ID is out of bounds");
        node.active = false;
        node.snapshotterAddress = address(0);
        node.burnedOn = block.timestamp;
        node.lastUpdated = block.timestamp;
        emit NodeBurned(msg.sender, nodeId);
    }

    /// Changes a slot without an event, as a missed one would look; only a full re-read of the slots finds it.
    function devSetSlotSilently(uint256 slotId, address snapshotter, bool active) external onlyOwner {
        NodeInfo storage node = nodeInfo[slotId];
        node.snapshotterAddress = snapshotter;
        node.active = active;
    }

    /// Owners of `count` slots from `from` on, for the set-up of the development chain.
    function devSlotOwners(uint256 from, uint256 count) external view returns (address[] memory owners) {
        owners = new address[](count);
        for (uint256 i = 0; i < count; i++) owners[i] = nodeInfo[from + i].snapshotterAddress;
    }
}
