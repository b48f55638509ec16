import { expect, test } from 'vitest'
import { HELD_MS, HeldBack, heldInWords } from '../../streams/held-back.ts'

const AT = { topic: 't', partition: 3 }

function watched() {
  let now = 1_000
  const held = new HeldBack({ now: () => now, sleep: async () => {} })
  const pass = (ms: number) => {
    now += ms
  }
  return { held, pass, words: () => held.lasting && heldInWords(held.lasting, now) }
}

test('default: a stable offset that moves holds nobody back, however much is written behind it', () => {
  const { held, pass } = watched()
  for (let stable = 0; stable < 10; stable++) {
    held.saw(AT, stable, stable + 500)
    pass(HELD_MS / 2)
  }
  expect(held.lasting).toBe(undefined)
})

test('default: one that stands still is told after a while, with what waits behind it', () => {
  const { held, pass, words } = watched()
  held.saw(AT, 7, 9)
  pass(HELD_MS)
  held.saw(AT, 7, 20)
  expect(words()).toBe(
    't/3: a transaction that nobody ends holds back 13 records from offset 7 on, for 45 s. `sequencer doctor` names it and says how to end it',
  )
  held.saw(AT, 20, 20)
  expect(held.all).toEqual([])
})

test('behavior: a log that does not tell its end, or does not answer, says nothing', () => {
  const { held, pass } = watched()
  held.saw(AT, 7, 9)
  pass(HELD_MS)
  held.saw(AT, 7, undefined)
  expect(held.lasting).toBe(undefined)
  held.saw(AT, 7, 9)
  held.forget()
  pass(HELD_MS)
  expect(held.lasting).toBe(undefined)
})
