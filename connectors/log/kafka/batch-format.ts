/**
 * Where the fields of a record batch lie (magic 2; Kafka's documentation, "Record Batch"). The records follow the fields, each
 * `length | attributes (i8) | timestamp delta | offset delta | key length | key | value length | value | number of headers |
 * headers`, numbers as zigzag varints, -1 as the length of null; compressed all together or not at all.
 */
export const MAGIC = 2

export const BASE_OFFSET_AT = 0
export const LENGTH_AT = 8
export const LEADER_EPOCH_AT = 12
export const MAGIC_AT = 16
export const CRC_AT = 17
/** The checksum covers everything from here on. */
export const ATTRIBUTES_AT = 21
export const LAST_OFFSET_DELTA_AT = 23
export const BASE_TIMESTAMP_AT = 27
export const MAX_TIMESTAMP_AT = 35
export const PRODUCER_ID_AT = 43
export const PRODUCER_EPOCH_AT = 51
export const BASE_SEQUENCE_AT = 53
export const RECORD_COUNT_AT = 57
export const RECORDS_AT = 61

/** Offset and length come before what the length counts. */
export const LENGTH_COUNTS_FROM = 12

export const COMPRESSION_MASK = 0x07
export const APPEND_TIME_FLAG = 0x08
export const TRANSACTIONAL_FLAG = 0x10
export const CONTROL_FLAG = 0x20
