/** The roles of the process that answers: what each does and whether it runs. */
import type { HealthAnswer } from '../../../api/schema.ts'
import { ROLE_HELP, ROLES, type Role } from '../../../roles.ts'
import { now } from '../connection.ts'
import { duration, plural, sentence } from '../format.ts'
import type { Tone } from '../words.ts'
import { Tag } from './basics.tsx'

/** In the order in which a submission meets them. */
const ORDER: readonly Role[] = [
  'intake',
  'clock',
  'tick-fanout',
  'validate',
  'admit',
  'consensus',
  'settle',
  'batch',
  'anchor',
  'anchor-effects',
  'api',
]

export function Roles({ health }: { health: HealthAnswer }) {
  const here = ORDER.filter((role) => role in health.roles)
  const elsewhere = ROLES.filter((role) => !(role in health.roles))
  return (
    <>
      <ul class="roles">
        {here.map((role) => {
          const { detail, since } = health.roles[role]!
          const { tone, word } = stateOf(health.roles[role]!)
          return (
            <li key={role} class={tone === 'bad' || tone === 'warn' ? `is-${tone}` : ''}>
              <div class="role-head">
                <span class="strong">{role}</span>
                <Tag tone={tone}>{word}</Tag>
              </div>
              <p class="note">{sentence(ROLE_HELP[role])}</p>
              <p class="note">
                {detail && `${detail}, `}for {duration(now.value - Date.parse(since))}
              </p>
            </li>
          )
        })}
      </ul>
      {elsewhere.length > 0 && (
        <p class="note">
          {plural(elsewhere.length, 'role')} in other processes ({elsewhere.join(', ')}): see their own /readyz.
        </p>
      )}
    </>
  )
}

function stateOf({ ready, works }: HealthAnswer['roles'][string]): { tone: Tone; word: string } {
  if (ready) return works ? { tone: 'good', word: 'Runs' } : { tone: 'muted', word: 'Stands by' }
  return works ? { tone: 'warn', word: 'Waits' } : { tone: 'bad', word: 'Does not run' }
}
