import { expect, test } from 'vitest'
import { winnerIn } from '../../../ops/api/queries/outvoted.ts'

test.each(['bafkreione', 'two words', 'winner (99 votes) and more', 'a with 1 of 2 votes', ''])(
  'default: the winner %j is had again from the words of the verdict',
  (winner) => {
    expect(winnerIn(`${winner} with 3 of 4 votes`)).toBe(winner)
  },
)
