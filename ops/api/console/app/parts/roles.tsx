/** The roles of the process that answers: what each does and whether it runs. */

import { ROLE_HELP, type Role } from '../../../../base/roles.ts'
import type { HealthAnswer } from '../../../schema.ts'
import { now } from '../connection.ts'
import { duration, plural, sentence } from '../format.ts'
import { STILL_MS } from '../log-rules.ts'
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
  'ledger',
  'batch',
  'anchor',
  'anchor-effects',
  'api',
]

export function Roles({ health }: { health: HealthAnswer }) {
  const here = ORDER.filter((role) => role in health.roles)
  const elsewhere = ORDER.filter((role) => !(role in health.roles))
  const seen = elsewhere.filter((role) => role in health.stages)
  const unseen = elsewhere.filter((role) => !(role in health.stages))
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
      {seen.length > 0 && (
        <>
          <p class="note">In other processes, as the log shows them:</p>
          <ul class="roles">
            {seen.map((role) => (
              <Elsewhere key={role} role={role} {...health.stages[role]!} />
            ))}
          </ul>
        </>
      )}
      {unseen.length > 0 && (
        <p class="note">
          {plural(unseen.length, 'role')} in other processes ({unseen.join(', ')}): see their own /readyz.
        </p>
      )}
    </>
  )
}

function Elsewhere({ role, behind, stillSince, waitsAt }: { role: Role } & HealthAnswer['stages'][string]) {
  const stillMs = stillSince === null ? 0 : now.value - stillSince
  const isStill = stillMs >= STILL_MS || waitsAt !== null
  return (
    <li class={isStill ? 'is-bad' : ''}>
      <div class="role-head">
        <span class="strong">{role}</span>
        <Tag tone={isStill ? 'bad' : 'good'}>{isStill ? 'Stands still' : 'Goes on'}</Tag>
      </div>
      <p class="note">
        {plural(behind, 'record')} behind{stillMs >= STILL_MS && `, none taken for ${duration(stillMs)}`}
        {waitsAt !== null && `. It waits at ${waitsAt}`}
      </p>
    </li>
  )
}

function stateOf({ ready, works }: HealthAnswer['roles'][string]): { tone: Tone; word: string } {
  if (ready) return works ? { tone: 'good', word: 'Runs' } : { tone: 'muted', word: 'Stands by' }
  return works ? { tone: 'warn', word: 'Waits' } : { tone: 'bad', word: 'Does not run' }
}
