/** An epoch as a track of its phases: done, running, slow, and how long each took. */
import { duration } from '../format.ts'
import { currentPhase, PHASES, type PhaseView } from '../phases.ts'
import { EPOCH_PHASES, PHASE_HELP } from '../words.ts'

const STATE_WORDS = { done: 'done', now: 'under way', slow: 'slow', failed: 'failed', ahead: 'not begun' } as const

/** `names`: with the names of the phases above; the rows of a list share those of its head. */
export function Track({ phases, names = false }: { phases: readonly PhaseView[]; names?: boolean }) {
  return (
    <ol class="track">
      {phases.map(({ phase, state, ms }) => (
        <li key={phase} class={state} title={`${EPOCH_PHASES[phase].name}: ${STATE_WORDS[state]}`}>
          {names && <span class="phase-name">{EPOCH_PHASES[phase].name}</span>}
          <span class="segment" />
          <span class="time">
            <span class="visually-hidden">{`${EPOCH_PHASES[phase].name}, ${STATE_WORDS[state]} `}</span>
            {ms === null ? (state === 'ahead' ? '' : '–') : duration(ms)}
          </span>
        </li>
      ))}
    </ol>
  )
}

export const TrackHead = () => (
  <div class="track track-head" aria-hidden="true">
    {PHASES.map(({ phase }) => (
      <span key={phase}>{EPOCH_PHASES[phase].name}</span>
    ))}
  </div>
)

/** The phase of an epoch, in words. */
export function phaseWords(phases: readonly PhaseView[]): string {
  const current = currentPhase(phases)
  if (!current) return phases.every(({ state }) => state === 'done') ? 'On the chain' : 'Not released'
  const { waits, stuck } = PHASE_HELP[current.phase]
  return current.state === 'now' ? `Waits ${waits}` : capital(stuck)
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
