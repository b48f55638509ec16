/** Bytes ↔ value. Both directions are synchronous and pure; `decode` throws on bytes it cannot read. */
export interface Serde<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}
