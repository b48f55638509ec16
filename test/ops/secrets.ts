import { expect } from 'vitest'

/** What a process wrote has no secret in it, in any letter case, and nothing that looks like a payload. */
export function expectNoSecrets(written: string, secrets: readonly string[]): void {
  const text = written.toLowerCase()
  for (const secret of secrets) {
    expect(secret.length).toBeGreaterThan(3) // or nothing was looked for
    expect(text.includes(secret.trim().replace(/^0x/, '').toLowerCase())).toBe(false)
  }
  expect(text.match(SIGNATURE)?.[0]).toBeUndefined()
}

/** 65 bytes and more in hex: the signature of a submission, or a signed transaction. */
const SIGNATURE = /[0-9a-f]{130,}/
