export type LevelOperation =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer }

export interface LevelRange {
  readonly gte: Buffer
  readonly lt: Buffer
}
