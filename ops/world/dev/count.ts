/** When `dev --epochs N` has seen enough. */

import type { ProgressListener } from '../../reading/progress-listener.ts'
import type { Screen } from './screen.ts'

/** Epochs that are anchored count; the number of those that ended without an anchored batch is told. */
export function countEpochs(epochsMax: number | undefined, screen: Pick<Screen, 'say'>) {
  let [anchored, missed] = [0, 0]
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
      if (missed > 0)
        screen.say(`${anchored} epochs are anchored; ${missed} ended with batches that were late or failed`)
      done()
    },
    missed: () => void missed++,
  }
  return { enough, listener, newest }
}
