import type { ClusterSettings } from '../ground/cluster/settings-topic.ts'
import type { Acl } from './acls.ts'
import type { DesiredSubject, DesiredTopic } from './desired.ts'

/**
 * - `create`: it is missing. `safe`: a change that loses nothing and stops nothing.
 * - `deletes`: the change deletes records; only with --yes-delete.
 * - `drain`: something must stand still, or be empty, first. `refused`: it cannot be done to what is there.
 */
export type ChangeClass = 'create' | 'safe' | 'deletes' | 'drain' | 'refused'

export interface Change {
  readonly class: ChangeClass
  readonly kind: 'topic' | 'subject' | 'acl' | 'settings' | 'owner'
  readonly name: string
  /** The difference. */
  readonly detail: string
  /** For what apply does not do: what to do instead. */
  readonly advice?: string
  /** The step of apply; absent for `drain` and `refused`. */
  readonly action?: Action
}

export type Action =
  | { readonly type: 'create-topic'; readonly topic: DesiredTopic }
  /** Every explicit setting of the topic afterwards: Kafka's AlterConfigs replaces the whole set. */
  | { readonly type: 'set-configs'; readonly topic: string; readonly configs: Readonly<Record<string, string>> }
  | { readonly type: 'register'; readonly subject: DesiredSubject }
  | { readonly type: 'create-acl'; readonly acl: Acl }
  | { readonly type: 'write-owner' }
  | { readonly type: 'write-settings'; readonly settings: ClusterSettings }
