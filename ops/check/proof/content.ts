/** The content of the shown part of a batch's file: whether a submission stands in it, and all that follows the submissions. */
import { z } from 'zod'
import { printable } from '../../base/printable.ts'
import { ProofFault } from '../../reading/proof/format.ts'
import { type BatchContent, compactBytes, parseBatch, quoted } from '../verify/batch-json.ts'
import type { FileView, Run } from './blocks.ts'

export interface ContentView {
  readonly roothash: string
  readonly pids: readonly string[]
  readonly cids: readonly string[]
  /** Whether a submission's text is one of the batch's. */
  has(text: string): boolean
  /** The whole batch, when the file is shown whole. */
  readonly batch?: BatchContent
}

/** Ends the list of submissions. Within a string no quotation mark goes without a backslash, so it stands there alone. */
const TAIL_MARK = '],"roothash":"'
const HEAD = compactBytes({ submissionIDs: [], submissions: [], roothash: '', pids: [], cids: [] })
const HEAD_BYTES = HEAD.indexOf(TAIL_MARK)

const texts = z.array(z.string())
const tailSchema = z.strictObject({ roothash: z.string(), pids: texts, cids: texts })

/** Throws ProofFault when the end of the batch is not shown, or is not a batch's. */
export function viewContent({ size, runs }: FileView): ContentView {
  const last = runs.at(-1)
  const mark = last?.bytes.lastIndexOf(TAIL_MARK) ?? -1
  if (!last || mark < 0 || last.start + last.bytes.length !== size)
    throw new ProofFault('batch.blocks: they do not show the end of the batch, which states its root')
  const tail = tailOf(last.bytes.subarray(mark))
  const end = last.start + mark
  const whole = runs.length === 1 && last.start === 0
  return {
    ...tail,
    has: (text) => runs.some((run) => holds(run, quoted(text), end)),
    ...(whole && { batch: wholeBatch(last.bytes) }),
  }
}

function tailOf(bytes: Buffer): z.infer<typeof tailSchema> {
  let tail: z.infer<typeof tailSchema>
  try {
    tail = tailSchema.parse(JSON.parse(`{${bytes.toString('utf8').slice(2)}`))
  } catch (error) {
    throw new ProofFault('batch.blocks: the end of the batch cannot be read', error)
  }
  const { roothash, pids, cids } = tail
  const canonical = compactBytes({ submissionIDs: [], submissions: [], roothash, pids, cids }).subarray(HEAD_BYTES)
  if (!canonical.equals(bytes)) throw new ProofFault('batch.blocks: the end of the batch is not written as a batch is')
  return tail
}

function wholeBatch(bytes: Buffer): BatchContent {
  try {
    return parseBatch(bytes)
  } catch (error) {
    throw new ProofFault(`batch.blocks: ${printable((error as Error).message)}`, error)
  }
}

/** As an element of a list before `end`: between quotation marks of its own, which no part of a longer string has. */
function holds({ start, bytes }: Run, element: string, end: number): boolean {
  const length = Buffer.byteLength(element)
  for (let at = bytes.indexOf(element); at >= 0; at = bytes.indexOf(element, at + 1)) {
    const [before, after] = [bytes[at - 1], bytes[at + length]]
    const isElement = (before === OPEN || before === COMMA) && (after === COMMA || after === CLOSE)
    if (isElement && start + at + length <= end) return true
  }
  return false
}

const [OPEN, COMMA, CLOSE] = [...Buffer.from('[,]')]
