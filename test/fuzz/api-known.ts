/** Values that lead somewhere in the log of the tests, by the name of the parameter. */

import { cidOf, uuid } from '../ops/api/story.ts'
import { MARKET } from '../ops/look/fixture.ts'

export const KNOWN: Readonly<Record<string, readonly string[]>> = {
  market: [MARKET, MARKET.toUpperCase().replace('0X', '0x')],
  epochId: ['1', '2', '3', '0'],
  epoch: ['1', '2', '3', '0'],
  slotId: ['1', '2', '3'],
  slot: ['1', '2', '3'],
  day: ['1', '2'],
  submissionId: [uuid(1, 1), uuid(3, 2).toUpperCase()],
  cid: [await cidOf(1), await cidOf(3)],
  project: ['project-a'],
  limit: ['1', '2', '500'],
}
