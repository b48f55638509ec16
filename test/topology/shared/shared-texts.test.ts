import { expect, test } from 'vitest'
import { createSharedTexts } from '../../../topology/shared/shared-texts.ts'

test('behavior: answers every text with an equal one, in each scope and after it was forgotten', () => {
  const texts = createSharedTexts()
  for (const scope of ['a', 'b', 'a']) {
    const share = texts.of(scope)
    for (const text of ['cid', 'project', '', 'cid', '__proto__']) expect(share(text)).toBe(text)
    texts.forget(scope)
  }
})
