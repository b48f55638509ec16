/** A guard of a promise of the product, and the way to take it out of the sources. See docs/simulation.md. */
export interface Guard {
  readonly name: string
  /** From the root. */
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  /** What stands there without the guard. */
  readonly replace: string
  /** What the guard is for. */
  readonly why: string
  /** Another guard, by name, that covers for this one: both are taken out. */
  readonly alsoWithout?: string
  /** How many seeds it may take, where the usual number is too few. */
  readonly seeds?: number
  /** Why no seed is expected to find its absence. */
  readonly uncaught?: string
}
