import type { Health } from '../../base/health.ts'
import type { Role } from '../../base/roles.ts'
import type { Metrics } from './create.ts'

/** The state of /readyz, for observers that ask every few seconds. */
export function roleMetrics(metrics: Metrics, own: readonly Role[], health: Health): void {
  metrics.onScrape(() => {
    const { roles } = health.report()
    for (const role of own) {
      metrics.roleReady.set({ role }, roles[role]?.ready ? 1 : 0)
      metrics.roleUp.set({ role }, roles[role]?.works ? 1 : 0)
    }
  })
}
