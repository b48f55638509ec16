/** The roles: who works each, in whatever process, and how far a stage is behind. */

import { ROLE_HELP, type Role } from '../../../../base/roles.ts'
import type { HealthAnswer } from '../../../health-schema.ts'
import type { ProcessesAnswer } from '../../../status-schema.ts'
import { now } from '../connection.ts'
import { count, duration, sentence } from '../format.ts'
import { STILL_MS } from '../log-rules.ts'
import type { Tone } from '../words.ts'
import { Scrolling, Tag } from './basics.tsx'

/** In the order in which a submission meets them. */
const ORDER: readonly Role[] = [
  'intake',
  'clock',
  'tick-fanout',
  'validate',
  'admit',
  'consensus',
  'settle',
  'ledger',
  'batch',
  'anchor',
  'anchor-effects',
  'api',
]

type RoleAnswer = ProcessesAnswer['roles'][number]
type Holder = RoleAnswer['processes'][number]

export const STANDINGS = {
  RUNS: { name: 'Runs', tone: 'good' },
  STANDS_BY: { name: 'Stands by', tone: 'muted' },
  WAITS: { name: 'Waits', tone: 'warn' },
  DOWN: { name: 'Does not run', tone: 'bad' },
  SILENT: { name: 'Silent', tone: 'bad' },
  NOBODY: { name: 'Nobody runs it', tone: 'bad' },
} as const satisfies Record<RoleAnswer['standing'] | Holder['standing'], { name: string; tone: Tone }>

const inOrder = (roles: readonly RoleAnswer[]): readonly RoleAnswer[] =>
  ORDER.flatMap((role) => roles.find((one) => one.role === role) ?? [])

/** A line each; roles that do not run with their words. */
export const RoleList = ({ roles }: { roles: readonly RoleAnswer[] }) => (
  <ul class="roles">
    {inOrder(roles).map(({ role, standing, processes }) => {
      const { name, tone } = STANDINGS[standing]
      const first = processes.find((one) => one.standing === standing) ?? processes[0]
      return (
        <li key={role} class={tone === 'bad' || tone === 'warn' ? `is-${tone}` : ''}>
          <div class="role-head">
            <span class="strong">{role}</span>
            <Tag tone={tone}>{name}</Tag>
          </div>
          {standing !== 'RUNS' && first && <p class="note">{holderWords(first)}</p>}
        </li>
      )
    })}
  </ul>
)

function holderWords({ instanceId, standing, detail, since }: Holder): string {
  const words = standing === 'SILENT' || detail === '' ? '' : `${detail}, `
  return `${instanceId}: ${standing === 'SILENT' ? 'not heard of ' : words}for ${duration(now.value - since)}`
}

/** All that is known of each role. */
export const RoleTable = ({ roles, stages }: { roles: readonly RoleAnswer[]; stages: HealthAnswer['stages'] }) => (
  <Scrolling label="Table: roles">
    <table>
      <thead>
        <tr>
          <th scope="col">Role</th>
          <th scope="col">State</th>
          <th scope="col" class="num">
            Behind
          </th>
          <th scope="col">Processes</th>
        </tr>
      </thead>
      <tbody>
        {inOrder(roles).map((one) => (
          <RoleRow key={one.role} role={one} stage={stages[one.role]} />
        ))}
      </tbody>
    </table>
  </Scrolling>
)

function RoleRow({ role: { role, standing, processes }, stage }: { role: RoleAnswer; stage?: Stage | undefined }) {
  const { name, tone } = STANDINGS[standing]
  return (
    <tr>
      <th scope="row">
        {role}
        <p class="note role-help">{sentence(ROLE_HELP[role])}</p>
      </th>
      <td class="nowrap">
        <Tag tone={tone}>{name}</Tag>
      </td>
      <td class="num nowrap">{stage && <Behind {...stage} />}</td>
      <td>
        <Holders holders={processes} />
      </td>
    </tr>
  )
}

const Holders = ({ holders }: { holders: readonly Holder[] }) => (
  <>
    {holders.length === 0 && <span class="muted">none has said that it has the role</span>}
    {holders.map((holder) => (
      <HolderLine key={holder.instanceId} holder={holder} />
    ))}
  </>
)

const HolderLine = ({ holder: { instanceId, standing, detail, since } }: { holder: Holder }) => (
  <p>
    <span class="strong">{instanceId}</span> {STANDINGS[standing].name.toLowerCase()}
    {detail && standing !== 'SILENT' ? `: ${detail}` : ''}
    <span class="note">, for {duration(now.value - since)}</span>
  </p>
)

type Stage = HealthAnswer['stages'][string]

function Behind({ behind, stillSince, waitsAt }: Stage) {
  const stillMs = stillSince === null ? 0 : now.value - stillSince
  return (
    <>
      {count(behind)}
      {stillMs >= STILL_MS && (
        <>
          {' '}
          <Tag tone="bad">still for {duration(stillMs)}</Tag>
        </>
      )}
      {waitsAt !== null && <p class="error-words">waits at {waitsAt}</p>}
    </>
  )
}
