/** When `dev --epochs N` has seen enough. */

import type { ProgressListener } from '../../reading/progress-listener.ts'
import type { Screen } from './screen.ts'

/** Epochs that are anchored count; the numbers of epochs that ended otherwise are told. */
export function countEpochs(epochsMax: number | undefined, screen: Pick<Screen, 'say'>) {
  let [anchored, missed, withoutBatch] = [0, 0, 0]
  let done = (): void => {}
  const enough = new Promise<void>((resolve) => {
    done = resolve
  })
  /** By market. */
  const newest = new Map<string, number>()
  const listener: ProgressListener = {
    anchored({ dataMarket, epochId }) {
      newest.set(dataMarket, Math.max(epochId, newest.get(dataMarket) ?? 0))
      if (++anchored !== epochsMax) return
      const others = otherwise(missed, withoutBatch)
      if (others.length > 0) screen.say([`${anchored} epochs are anchored`, ...others].join('; '))
      done()
    },
    missed: () => void missed++,
    endedWithoutBatch: () => void withoutBatch++,
  }
  return { enough, listener, newest }
}

const otherwise = (missed: number, withoutBatch: number): readonly string[] => [
  ...(missed > 0 ? [`${missed} ended with batches that were late or failed`] : []),
  ...(withoutBatch > 0 ? [`${withoutBatch} ended without a batch`] : []),
]
