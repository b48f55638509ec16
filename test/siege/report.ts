/** What a siege showed, in words, and which invariants it broke. */
import type { Latency, SiegeReport } from './siege.ts'

/** Every broken invariant, one line each; none: the product held. @param factor of the 95th percentile in peace */
export function brokenBy({ exits, unanchored, latency, honest, audit, verify }: SiegeReport, factor: number): string[] {
  const { calm, attack } = latency
  return [
    ...exits.map(({ name, exitCode, signal, stderr }) => `${name} ended (${exitCode ?? signal}): ${lastLine(stderr)}`),
    ...(unanchored === null ? ['the query API did not answer at the end'] : []),
    ...(unanchored?.length
      ? [`${unanchored.length} epochs are not anchored: ${unanchored.slice(0, 8).join(', ')}`]
      : []),
    ...(calm.p95 !== null && attack.p95 !== null && attack.p95 > factor * calm.p95
      ? [`release → anchored p95 ${attack.p95.toFixed(1)} s, in peace ${calm.p95.toFixed(1)} s`]
      : []),
    ...(typeof honest === 'string' ? [honest] : lossesOf(honest)),
    ...(typeof audit === 'string' ? [`audit: ${audit}`] : faultsOf(audit)),
    ...(verify.problems.length > 0
      ? [`verify: ${verify.problems.length} problems, ${verify.problems.slice(0, 3).join(' · ')}`]
      : []),
  ].map(shown)
}

const lossesOf = ({
  sent,
  counted,
  lostInPeace,
  others,
  examples,
}: Exclude<SiegeReport['honest'], string>): string[] =>
  counted === sent && sent > 0
    ? []
    : [
        `${sent - counted} of ${sent} honest submissions not counted, ${lostInPeace} of them in peace: ${JSON.stringify(others)} (${examples[0]})`,
      ]

function faultsOf({
  lost,
  duplicated,
  skipped,
  mismatches,
  differences,
}: Exclude<SiegeReport['audit'], string>): string[] {
  if (lost + duplicated + skipped + mismatches === 0) return []
  const first = differences.slice(0, 3).map(({ kind, where, message }) => `${kind} ${where}: ${message}`)
  return [
    `audit: ${lost} lost, ${duplicated} duplicated, ${skipped} skipped, ${mismatches} mismatches; ${first.join(' · ')}`,
  ]
}

export function renderReport(report: SiegeReport, factor: number): string {
  const { target, kinds, deeds, samples, latency, honest, verify } = report
  const broken = brokenBy(report, factor)
  const counts = typeof honest === 'string' ? honest : `${honest.sent} sent, ${honest.counted} counted`
  return [
    `${broken.length === 0 ? 'held' : 'BROKEN'}: ${kinds.join(', ') || 'no attack'} on ${target}`,
    ...Object.entries(deeds).map(
      ([kind, { sent, heldBack, refused, answered }]) =>
        `  ${kind}: ${sent} sent, ${heldBack} held back, ${refused} refused, ${answered} answered or opened`,
    ),
    ...(['calm', 'attack', 'after'] as const).map((phase) => `  ${phase.padEnd(6)} ${renderLatency(latency[phase])}`),
    `  honest: ${counts}; verdicts of all: ${typeof honest === 'string' ? '-' : JSON.stringify(honest.verdicts)}`,
    `  ${verify.batches} batches verified`,
    ...samples.map(
      ({ atSeconds, phase, rssMiB, cores, diskMiB, lag, probes, probesFailed }) =>
        `  ${`${atSeconds}`.padStart(5)} s ${phase.padEnd(6)} MiB of memory ${pairs(rssMiB)}; cores ${pairs(cores)}; of disk ${pairs(diskMiB)}; lag ${
          lag ? pairs(lag) : 'unknown'
        }; probes failed ${probesFailed} of ${probes}`,
    ),
    ...broken.map((line) => `  BROKEN ${line}`),
    '',
  ].join('\n')
}

const renderLatency = ({ released, anchored, p50, p95, max }: Latency): string =>
  `${released} epochs, ${anchored} anchored, release → anchored p50 ${inSeconds(p50)}, p95 ${inSeconds(p95)}, max ${inSeconds(max)}`
const inSeconds = (value: number | null): string => (value === null ? '-' : `${value.toFixed(1)} s`)
const pairs = (of: Readonly<Record<string, number | null>>): string =>
  Object.entries(of)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => `${name} ${value ?? '-'}`)
    .join(', ') || '0'
const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? ''

/** The adversary's texts are in some of it. */
const shown = (text: string): string =>
  text.slice(0, 1_000).replace(/[^\x20-\x7e→·]/g, (char) => `\\u{${char.codePointAt(0)!.toString(16)}}`)
