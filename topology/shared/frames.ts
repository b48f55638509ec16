import { SIGNATURE_BYTES } from '../../schemas/framed-texts.ts'
import { quote } from '../../schemas/go-json.ts'
import type { TextFrame } from '../../schemas/types.ts'
import { frameOf, submissionText } from './submission-text.ts'
import { isSameContent, submissionOf, type Vote, type VoteContent } from './vote.ts'

/** Number of newest frames among which a vote's is looked for: votes of one project mostly have one of two CIDs. */
const FRAMES_COMPARED = 4

/** A frame with the content that it was made of; none where it is a whole text. */
interface NumberedFrame {
  readonly number: number
  readonly content: VoteContent | undefined
}

/** The frames of votes, and for each vote which frame it has and its signature. */
export function frameTexts(votes: readonly Vote[]) {
  const frames: TextFrame[] = []
  const newest: NumberedFrame[] = []
  const signatures = Buffer.alloc(votes.length * SIGNATURE_BYTES)
  const frameNumbers: number[] = []
  for (const [i, vote] of votes.entries()) {
    const { slotId, isPacked, signature, content } = vote
    const isFramed = slotId !== 0 && isPacked
    const known = isFramed ? numberOf(newest, content) : undefined
    const frame = isFramed && known === undefined ? frameOf(content) : undefined
    if (known !== undefined || frame) signatures.write(signature, i * SIGNATURE_BYTES, 'latin1')
    frameNumbers.push(known ?? frames.length)
    if (known !== undefined) continue
    newest.unshift({ number: frames.length, content: frame && content })
    newest.length = Math.min(newest.length, FRAMES_COMPARED)
    frames.push(frame ?? { middle: quote(submissionText(submissionOf(vote))), end: '' })
  }
  return { frames, frameNumbers, signatures }
}

function numberOf(newest: readonly NumberedFrame[], content: VoteContent): number | undefined {
  for (let at = 0; at < newest.length; at++) {
    const known = newest[at]!
    if (known.content === content || (known.content && isSameContent(known.content, content))) return known.number
  }
  return undefined
}
