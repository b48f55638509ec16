/**
 * Bytes ↔ value. Both directions are synchronous and pure; `decode` throws on bytes it cannot read. An error of its with
 * `isForeign` true says that no release of ours wrote them.
 */
export interface Serde<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}
