/** How the numbers of records say that there is none: a nonce, a block, an offset. All of those count from 0. */

/** The value in the schemas, where a number has no nullable type. */
export const NONE = -1

export const isNone = (number: number): boolean => number < 0

/** For answers of an API, where null says it. */
export const orNull = (number: number): number | null => (isNone(number) ? null : number)

/** A block's time in a record (`StoredHead.timestamp`, `EpochMarker.blockTimes`) where nobody asks for it or knows it. */
export const NO_TIME = 0

/** Seconds since 1970 as a record has them; undefined where it says that nobody knows. */
export const knownTime = (seconds: number): number | undefined => (seconds === NO_TIME ? undefined : seconds)
