/** An epoch as a track of its phases: what is done, what runs, what is late, and how long each took. */
import { duration } from '../format.ts'
import { currentPhase, PHASES, type PhaseView } from '../phases.ts'
import { PHASE_HELP } from '../words.ts'

const STATE_WORDS = { done: 'done', now: 'under way', late: 'late', failed: 'failed', ahead: 'not begun' } as const

/** `names`: with the names of the phases above; the rows of a list share those of its head. */
export function Track({ phases, names = false }: { phases: readonly PhaseView[]; names?: boolean }) {
  return (
    <ol class="track">
      {phases.map(({ id, name, state, ms }) => (
        <li key={id} class={state} title={`${name}: ${STATE_WORDS[state]}`}>
          {names && <span class="phase-name">{name}</span>}
          <span class="segment" />
          <span class="time">
            <span class="visually-hidden">{`${name}, ${STATE_WORDS[state]} `}</span>
            {ms === null ? (state === 'ahead' ? '' : '–') : duration(ms)}
          </span>
        </li>
      ))}
    </ol>
  )
}

export const TrackHead = () => (
  <div class="track track-head" aria-hidden="true">
    {PHASES.map(({ id, name }) => (
      <span key={id}>{name}</span>
    ))}
  </div>
)

/** What an epoch is at, in words. */
export function phaseWords(phases: readonly PhaseView[]): string {
  const phase = currentPhase(phases)
  if (!phase) return phases.every(({ state }) => state === 'done') ? 'On the chain' : 'Not released'
  return phase.state === 'now' ? `Waits ${PHASE_HELP[phase.id].waits}` : capital(PHASE_HELP[phase.id].stuck)
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
