/** The broker of the `kafka` project, as its tests see it. */
import { randomUUID } from 'node:crypto'
import { inject } from 'vitest'
import type { SharedKafka } from './kafka-setup.ts'

export const sharedKafka = (): SharedKafka => inject('kafka')

/** A name for a topic, group or transactional id that no other test has. */
export const uniqueName = (what: string): string => `${what}-${randomUUID().slice(0, 8)}`
