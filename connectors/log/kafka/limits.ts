/**
 * The bounds within which this driver unpacks. Our own batches are of a megabyte and not compressed; a foreign one may be small
 * in the log and huge when it is unpacked, so it is held against these before a buffer is made for it.
 */

/** The largest record, and so the largest value that a topic takes; a larger one can only have come compressed. */
export const RECORD_BYTES_MAX = 16 * 1024 * 1024

/** Unpacked bytes of the records of one batch. Kafka's batches are of a megabyte by default. */
export const BATCH_UNPACKED_BYTES_MAX = 64 * 1024 * 1024

/** Records of one batch: each becomes an object, however short it is. One of a megabyte has room for 150,000. */
export const BATCH_RECORDS_MAX = 250_000

/** Unpacked bytes of the batches of one partition in one answer; with more the rest is fetched again. */
export const ANSWER_UNPACKED_BYTES_MAX = 64 * 1024 * 1024

/** Bytes that are kept of the key and of the value of a record, or of a batch, that is not handed out. */
export const FAULT_BYTES_KEPT = 512 * 1024
