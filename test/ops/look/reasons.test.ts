import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { reasonsReference } from '../../../ops/look/reasons.ts'

test('behavior: docs/verdicts.md is what the reasons give (else: ./sequencer why --reasons > docs/verdicts.md)', () => {
  expect(readFileSync(new URL('../../../docs/verdicts.md', import.meta.url), 'utf8')).toBe(reasonsReference())
})
