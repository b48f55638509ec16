import { ForgedMarkerError } from '../streams/marker-guard.ts'

/** Why a stage puts a record aside: no record of its topic, or a marker that the stage before did not write. */
export const DEAD_LETTER_REASONS = ['undecodable', 'forged-marker'] as const

export const deadLetterReason = (error: Error): (typeof DEAD_LETTER_REASONS)[number] =>
  error instanceof ForgedMarkerError ? 'forged-marker' : 'undecodable'
