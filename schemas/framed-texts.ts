/**
 * Texts of submissions around frames: the text of a submission is 700 bytes, and most submissions of a project differ in slot
 * and signature alone. So what stands around those two is kept once, as a frame.
 */
import type { TextBuffer } from './text-buffer.ts'
import type { BatchTexts, TextFrame } from './types.ts'

/** Bytes of a signature: r, s, v. */
export const SIGNATURE_BYTES = 65

/** The texts of some submissions, in order. */
export type Texts = Pick<BatchTexts, 'slotIds' | 'frameNumbers' | 'frames' | 'signatures'>

/** Writes the texts with commas between. */
export function writeTexts(out: TextBuffer, { slotIds, frameNumbers, frames, signatures }: Texts): void {
  const forms = frames.map((frame) => formOf(frame, 0))
  for (let i = 0; i < slotIds.length; i++) {
    const frame = frameNumbers[i]!
    if (i > 0) out.ascii(',')
    if (isWhole(frames[frame]!)) {
      out.bytes(forms[frame]!.bytes)
      continue
    }
    const slot = `${slotIds[i]}`
    if (forms[frame]!.digits !== slot.length) forms[frame] = formOf(frames[frame]!, slot.length)
    const { bytes, signatureAt } = forms[frame]!
    const at = out.length
    out.bytes(bytes)
    out.asciiAt(at + START.length, slot)
    out.hexAt(at + signatureAt, signatures, i * SIGNATURE_BYTES, (i + 1) * SIGNATURE_BYTES)
  }
}

/** A text to be filled in: slot and signature are blank. */
function formOf(frame: TextFrame, digits: number) {
  const { middle, end } = frame
  if (isWhole(frame)) return { digits, bytes: Buffer.from(middle), signatureAt: 0 }
  const bytes = Buffer.from(START + BLANKS.slice(0, digits) + middle + BLANKS + end)
  return { digits, bytes, signatureAt: START.length + digits + middle.length }
}

const BLANKS = ' '.repeat(2 * SIGNATURE_BYTES)

const isWhole = ({ end }: TextFrame): boolean => end === ''

/** Number of bytes that `writeTexts` writes. */
export function textsLength({ slotIds, frameNumbers, frames }: Texts): number {
  const lengths = frames.map((frame) => (isWhole(frame) ? Buffer.byteLength(frame.middle) : framedLength(frame)))
  let sum = Math.max(0, slotIds.length - 1)
  for (let i = 0; i < slotIds.length; i++) {
    const frame = frameNumbers[i]!
    sum += lengths[frame]! + (isWhole(frames[frame]!) ? 0 : `${slotIds[i]}`.length)
  }
  return sum
}

const framedLength = ({ middle, end }: TextFrame): number => START.length + middle.length + BLANKS.length + end.length

const START = '"{\\n  \\"request\\": {\\n    \\"slotId\\": \\"'
