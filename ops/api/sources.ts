import { API_LIMITS } from '../settings/api-limits.ts'
import { Answers } from './answers.ts'
import type { ApiSource } from './asked.ts'
import { createEventHub, type EventHub, type ListenerLimits } from './events.ts'
import { HttpProblem } from './problem.ts'

/** Between the server, which is there first, and the view, which needs the topics. */
export interface ApiSources {
  /** Answers come from this source from now on. */
  open(source: ApiSource): void
  close(): void
  /** @throws HttpProblem 503 while there is nothing */
  source(): ApiSource
  hub(): EventHub
  answers(): Answers
}

export function createApiSources(limits: ListenerLimits = API_LIMITS): ApiSources {
  let opened: { readonly source: ApiSource; readonly hub: EventHub; readonly answers: Answers } | undefined
  const through = () => {
    if (!opened) throw new HttpProblem(503, 'the view of the log is not open yet; try again')
    return opened
  }
  return {
    open(source) {
      opened = { source, hub: createEventHub(source.view, source.topics, limits), answers: new Answers() }
    },
    close() {
      opened?.hub.close()
      opened = undefined
    },
    source: () => through().source,
    hub: () => through().hub,
    answers: () => through().answers,
  }
}
