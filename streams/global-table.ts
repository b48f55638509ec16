/**
 * A compacted topic held whole by every instance, outside the tasks. It may be ahead of any task, so its values carry
 * their own history and a task asks for the version that its input names.
 */
export interface GlobalTable<K, V> {
  get(key: K): V | undefined
  readonly size: number
}
