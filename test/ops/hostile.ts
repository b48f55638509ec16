/** Texts that take over a terminal, and what is looked for where they may have come through. */

/** What no output may hold but the line feed: written apart from what ops/base/printable.ts escapes. */
export const OBEYED =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are looked for
  /[\0-\x09\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]/u

/** Title, clear, colour, lines that it forges, C1, from right to left, nothing to be seen, half a pair. */
export const HOSTILE =
  '\u001b]0;mine\u0007\u001b[2J\u001b[1;1H\r\nFORGED LINE\n\u009b31m\u202egnp.\u2066\u200b\ufeff\ud800\u0000\\u{1b}\t'
