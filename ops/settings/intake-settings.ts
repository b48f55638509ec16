/** The settings of the role intake, and what they are for the connector. */
import { z } from 'zod'
import { readSubject } from '../../connectors/libp2p/bans.ts'
import { type IntakeLimits, INTAKE_LIMITS as L } from '../../connectors/libp2p/limits.ts'
import { whole } from './market-schema.ts'

/** Votes of a slot that are taken for an epoch, as a multiple of its quota: up to there an excess has its verdicts. */
export const QUOTA_FACTOR = 4

const rate = (fallback: number, help: string) => whole(1, 10_000_000).default(fallback).describe(help)

export const intakeSettings = z
  .strictObject({
    listen: z
      .array(z.string().startsWith('/'))
      .min(1)
      .default(['/ip4/0.0.0.0/tcp/9100'])
      .describe('TCP multiaddrs to listen on.'),
    peerKeyFile: z
      .string()
      .min(1)
      .optional()
      .describe(
        'File with the libp2p key behind the peer id; made when it does not exist. Replicas behind one address share it.',
      ),
    banned: z
      .array(z.string().refine((text) => readSubject(text) !== undefined, 'no peer id, IP address or range (CIDR)'))
      .default([])
      .describe('Peer ids, IP addresses and ranges (CIDR) that may never connect. At run time: `sequencer peers ban`.'),
    quotaFactor: whole(1, 1_000)
      .default(QUOTA_FACTOR)
      .describe('Votes of a slot that are taken for an epoch, as a multiple of the quota of its market.'),
    connections: z
      .strictObject({
        max: rate(
          L.connectionsMax,
          'Connections at a time. Beyond them a connection without votes makes room for a new one.',
        ),
        perAddressMax: rate(L.connectionsPerHostMax, 'Connections of one IP address (IPv6: of a /64) at a time.'),
        handshakesMax: rate(
          L.handshakesMax,
          'Connections at a time that have not yet said who they are. Beyond them one that has named no encryption makes room, or one of the prefix with most.',
        ),
        handshakesPerAddressMax: rate(L.handshakesPerHostMax, 'The same of one IP address.'),
        idleSeconds: whole(60, 86_400)
          .default(L.connectionIdleMs / 1_000)
          .describe(
            'A connection without a message that may count for so long is closed, and a stream on which nothing came, s. Collectors open theirs anew every 300 s.',
          ),
      })
      .prefault({}),
    rates: z
      .strictObject({
        connectionBurst: rate(
          L.pacePerConnection.burst,
          'Messages that a connection may send at once; a message of more than 1 KiB counts as several. Beyond the rate the connection is read more slowly.',
        ),
        connectionPerSecond: rate(
          L.pacePerConnection.perSecond,
          'Messages that a connection may send per second after that.',
        ),
        addressBurst: rate(L.pacePerHost.burst, 'Messages that all connections of one IP address may send at once.'),
        addressPerSecond: rate(L.pacePerHost.perSecond, 'Messages that an IP address may send per second after that.'),
        withoutVotesBurst: rate(
          L.paceWithoutCredit.burst,
          'Messages that all connections that bring no votes may send at once, when each has sent its first few. Beyond the rate they are read in turns.',
        ),
        withoutVotesPerSecond: rate(
          L.paceWithoutCredit.perSecond,
          'Messages that all connections that bring no votes may send per second after that.',
        ),
        doubtfulConnectionBurst: rate(
          L.doubtfulPerConnection.burst,
          'Messages that cannot count (bad signature, unknown slot, no open epoch, over quota, a copy) that are taken from a connection at once, so that they have a verdict. Beyond the rate they are refused.',
        ),
        doubtfulConnectionPerSecond: rate(
          L.doubtfulPerConnection.perSecond,
          'Such messages that are taken from a connection per second after that.',
        ),
        doubtfulAddressBurst: rate(
          L.doubtfulPerHost.burst,
          'The same for all connections of one IP address, but for connections that brought more votes than such messages.',
        ),
        doubtfulAddressPerSecond: rate(
          L.doubtfulPerHost.perSecond,
          'Such messages that are taken from an IP address per second after that.',
        ),
        extrasPerSlot: rate(
          L.extrasPerSlotMax,
          'Copies among them, and messages over quota, that are taken for one slot and epoch, over all connections.',
        ),
      })
      .prefault({}),
    faults: z
      .strictObject({
        slow: rate(
          L.slowFaults,
          'Bad signatures of a peer that its votes do not make up for, less one each second, above which it is read slowly.',
        ),
        ban: rate(L.banFaults, 'Bad signatures of a peer, counted in the same way, above which its peer id is banned.'),
        slowAddress: whole(0, 10_000_000)
          .default(L.hostSlowFaults)
          .describe(
            'Bad signatures of an IP address, counted in the same way, above which its peers that bring no votes are read slowly; 0 = never.',
          ),
        banAddress: whole(0, 10_000_000)
          .default(L.hostBanFaults)
          .describe(
            'Bad signatures of an IP address above which it is banned if it brought no votes recently; 0 = never, as behind a proxy that hides the addresses.',
          ),
        perVote: rate(L.creditPerVote, 'Messages that cannot count that one vote of the same peer makes up for.'),
        creditHalfLifeMinutes: rate(
          L.creditHalfLifeMs / 60_000,
          'The credit of votes falls to half after so long, minutes.',
        ),
        banMinutes: whole(1, 100_000)
          .default(L.banMs / 60_000)
          .describe('Length of a ban that an intake gives, minutes.'),
      })
      .prefault({}),
    lag: z
      .strictObject({
        recordsMax: rate(
          L.lagRecordsMax,
          'Records that `validate` may be behind. Beyond this number only connections that bring votes are read as usual; the others are read in turns.',
        ),
        recordsStop: rate(
          L.lagRecordsStop,
          'Records that `validate` may be behind before all connections are read in turns.',
        ),
        perSecond: rate(
          L.paceWhileLagging.perSecond,
          'Messages of all connections that are read in turns, per second.',
        ),
      })
      .prefault({}),
  })
  .prefault({})
  .describe('The role intake; what its rates are for is in docs/operations.md.')

type IntakeSettings = z.output<typeof intakeSettings>

/** The limits that are settings; the others keep their values. */
export function limitsOf({ connections, rates, faults, lag }: IntakeSettings): Partial<IntakeLimits> {
  return {
    connectionsMax: connections.max,
    connectionsPerHostMax: connections.perAddressMax,
    handshakesMax: connections.handshakesMax,
    handshakesPerHostMax: connections.handshakesPerAddressMax,
    connectionIdleMs: connections.idleSeconds * 1_000,
    pacePerConnection: { burst: rates.connectionBurst, perSecond: rates.connectionPerSecond },
    pacePerHost: { burst: rates.addressBurst, perSecond: rates.addressPerSecond },
    paceWithoutCredit: { burst: rates.withoutVotesBurst, perSecond: rates.withoutVotesPerSecond },
    doubtfulPerConnection: { burst: rates.doubtfulConnectionBurst, perSecond: rates.doubtfulConnectionPerSecond },
    doubtfulPerHost: { burst: rates.doubtfulAddressBurst, perSecond: rates.doubtfulAddressPerSecond },
    extrasPerSlotMax: rates.extrasPerSlot,
    slowFaults: faults.slow,
    banFaults: faults.ban,
    hostSlowFaults: faults.slowAddress,
    creditPerVote: faults.perVote,
    creditHalfLifeMs: faults.creditHalfLifeMinutes * 60_000,
    hostBanFaults: faults.banAddress,
    banMs: faults.banMinutes * 60_000,
    lagRecordsMax: lag.recordsMax,
    lagRecordsStop: Math.max(lag.recordsMax, lag.recordsStop),
    paceWhileLagging: { burst: lag.perSecond, perSecond: lag.perSecond },
  }
}
