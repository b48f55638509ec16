/** The readers. `stages`: their global tables, and state out of changelogs. */
export const READERS = ['stages', 'clock', 'anchor-effects', 'intake', 'progress', 'view'] as const

export type LeavingReader = (typeof READERS)[number]
