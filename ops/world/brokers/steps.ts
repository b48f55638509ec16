/** The words of a start that takes its time: lines, and below them on a terminal how far each fetch is. */
import type { Output } from '../../base/output.ts'
import type { Telling } from './fetching.ts'

/** Elsewhere than on a terminal, a line about a matter so often at most. */
const LINE_MS = 10_000

export interface Steps extends Telling {
  log(line: string): void
  progress(matter: string, line: string | undefined): void
}

export function createSteps(out: Output, now: () => number): Steps {
  const under = new Map<string, string>()
  const saidAt = new Map<string, number>()
  let drawn = 0
  const draw = (...above: readonly string[]): void => {
    out.redraw(drawn, [...above, ...under.values()])
    drawn = under.size
  }
  const progress = (matter: string, line: string | undefined): void => {
    if (out.isTerminal) {
      if (line === undefined) under.delete(matter)
      else under.set(matter, line)
      draw()
    } else if (line === undefined) saidAt.delete(matter)
    else if (!saidAt.has(matter)) saidAt.set(matter, now())
    else if (now() - saidAt.get(matter)! >= LINE_MS) {
      saidAt.set(matter, now())
      out.print(line)
    }
  }
  return { progress, log: (line) => (out.isTerminal ? draw(line) : out.print(line)) }
}
