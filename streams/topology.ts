/** The inert graph. The engine's owner fills this in. */
export interface Topology {
  /** Stable text of the whole graph; its hash is the fingerprint that members compare when they join. */
  describe(): string
  readonly fingerprint: string
}
