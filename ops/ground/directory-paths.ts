/** The places of everything in the data directory of an embedded sequencer. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export interface DirectoryPaths {
  readonly log: string
  readonly registry: string
  readonly blocks: string
  readonly chain: string
  readonly peerKey: string
  /** Key of the markers. */
  readonly markerKey: string
  /** Behind the query API; may be deleted. */
  readonly view: string
  readonly settings: string
  /** Present while a process runs on the directory. */
  readonly running: string
  /** The messages that the simulated snapshotters sent. */
  readonly ledger: string
  /** Slots without a snapshotter, with their keys: for programs that play their owners. */
  readonly spareSlots: string
}

export const directoryPaths = (dataDir: string): DirectoryPaths => ({
  log: join(dataDir, 'log'),
  registry: join(dataDir, 'schemas.json'),
  blocks: join(dataDir, 'blocks'),
  chain: join(dataDir, 'chain'),
  peerKey: join(dataDir, 'peer.key'),
  markerKey: join(dataDir, 'marker.key'),
  view: join(dataDir, 'view'),
  settings: join(dataDir, 'settings.json'),
  running: join(dataDir, 'dev.json'),
  ledger: join(dataDir, 'snapshotters.jsonl'),
  spareSlots: join(dataDir, 'spare-slots.json'),
})

/** True when the chain of the directory is one of `dev`, which runs only with the process. */
export const hasOwnChain = (dataDir: string): boolean => existsSync(join(directoryPaths(dataDir).chain, 'state.json'))
