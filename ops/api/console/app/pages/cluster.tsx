/** Every process, whichever answers here, and who works which role. */
import type { HealthAnswer } from '../../../health-schema.ts'
import type { ProcessesAnswer } from '../../../status-schema.ts'
import { useAnswer } from '../answers.ts'
import { now } from '../connection.ts'
import { coin, duration, plural } from '../format.ts'
import { Ago, Card, Empty, Facts, Hash, Scrolling, Shown, Tag, Words } from '../parts/basics.tsx'
import { RoleTable, STANDINGS } from '../parts/roles.tsx'
import type { Tone } from '../words.ts'

type Process = ProcessesAnswer['items'][number]

export function Cluster() {
  const processes = useAnswer<ProcessesAnswer>('/v1/processes', 'health')
  const health = useAnswer<HealthAnswer>('/v1/health', 'health')
  return (
    <>
      <h1 tabIndex={-1}>Cluster</h1>
      <Card title="Roles" note="Who works each, as the processes say, and how many records a stage has not taken.">
        <Shown answer={processes}>
          {({ roles }) => <RoleTable roles={roles} stages={health.data?.stages ?? {}} />}
        </Shown>
      </Card>
      <Card title="Processes" note="Each says every ten seconds how it is.">
        <Shown answer={processes}>{(data) => <ProcessTable {...data} />}</Shown>
      </Card>
      <Card title="Signer" note="The account that sends everything.">
        <Shown answer={processes}>{({ signer }) => <Signer signer={signer} />}</Shown>
      </Card>
    </>
  )
}

const STATES = {
  RUNNING: { name: 'Runs', tone: 'good' },
  SILENT: { name: 'Silent', tone: 'bad' },
  AHEAD: { name: 'Clock ahead', tone: 'warn' },
} as const satisfies Record<Process['state'], { name: string; tone: Tone }>

function ProcessTable({ items, more }: ProcessesAnswer) {
  if (items.length === 0)
    return <Empty title="No process has reported">Each does every ten seconds, once its log answers.</Empty>
  return (
    <>
      <Scrolling label="Table: processes">
        <table>
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col">State</th>
              <th scope="col">Version</th>
              <th scope="col">Runs for</th>
              <th scope="col">Heard of</th>
              <th scope="col">Roles</th>
            </tr>
          </thead>
          <tbody>
            {items.map((process) => (
              <ProcessRow key={process.instanceId} process={process} />
            ))}
          </tbody>
        </table>
      </Scrolling>
      <p class="note">
        {more > 0 && `${plural(more, 'other process', 'other processes')} cannot be shown for want of room. `}
        <Words text="Machines and addresses: `sequencer status` on the log." />
      </p>
    </>
  )
}

const ProcessRow = ({ process: { instanceId, state, version, startedAt, heardAt, roles } }: { process: Process }) => (
  <tr>
    <th scope="row">{instanceId}</th>
    <td class="nowrap">
      <Tag tone={STATES[state].tone}>{STATES[state].name}</Tag>
    </td>
    <td>{version}</td>
    <td class="nowrap">{duration(now.value - startedAt)}</td>
    <td class="nowrap">
      <Ago at={heardAt} />
    </td>
    <td>
      {roles.map(({ role, standing }) => (
        <span key={role} class={standing === 'RUNS' ? '' : 'muted'}>
          {role}
          {standing === 'RUNS' ? ' ' : ` (${STANDINGS[standing].name.toLowerCase()}) `}
        </span>
      ))}
    </td>
  </tr>
)

function Signer({ signer }: Pick<ProcessesAnswer, 'signer'>) {
  if (!signer) return <Empty title="No process has said that it sends">Does one run the role anchor-effects?</Empty>
  const { address, balanceWei, balanceAt, nonce } = signer
  return (
    <Facts
      rows={[
        ['Account', <Hash key="account" text={address} name="account" />],
        ['Coin', balanceWei === null ? 'not asked for yet' : coin(balanceWei)],
        ['As of', <Ago key="as-of" at={balanceAt} />],
        ['Highest nonce signed', nonce === null ? 'none yet' : `${nonce}`],
      ]}
    />
  )
}
