/**
 * The rules for the texts of a submission, before anything is looked up or computed for it: their lengths, characters and forms,
 * and whether the project belongs to the market. It depends on the submission and the rules of its market alone.
 */
import type { Submission, VerdictReason } from '../../schemas/types.ts'
import type { MarketRules } from '../rules.ts'
import { takesProject } from '../shared/project-ids.ts'
import type { Evidence } from '../verdict.ts'

export type FormRules = Pick<
  MarketRules,
  'projectIdBytesMax' | 'snapshotCidBytesMax' | 'nodeVersionBytesMax' | 'projectIds'
>

export interface FormFault {
  readonly reason: Extract<VerdictReason, 'MALFORMED' | 'OVERSIZE' | 'FOREIGN_PROJECT'>
  readonly evidence: Evidence
}

/** The first text that is not as it must be. Signature and header have reasons of their own, and the data market is compared whole. */
export function formFault(submission: Submission, rules: FormRules): FormFault | undefined {
  const { submissionId, projectId, snapshotCid, nodeVersion } = submission
  return (
    idFault(submissionId) ??
    emptyFault('projectId', projectId) ??
    textFault('projectId', projectId, rules.projectIdBytesMax) ??
    emptyFault('snapshotCid', snapshotCid) ??
    textFault('snapshotCid', snapshotCid, rules.snapshotCidBytesMax) ??
    textFault('nodeVersion', nodeVersion ?? '', rules.nodeVersionBytesMax) ??
    foreignFault(projectId, rules.projectIds)
  )
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const idFault = (submissionId: string): FormFault | undefined =>
  UUID.test(submissionId)
    ? undefined
    : {
        reason: 'MALFORMED',
        evidence: {
          rule: 'submissionId is a UUID',
          expected: '36 characters, lower case',
          actual: excerpt(submissionId),
        },
      }

const emptyFault = (name: string, text: string): FormFault | undefined =>
  text === ''
    ? { reason: 'MALFORMED', evidence: { rule: `${name} is not empty`, expected: 'a text', actual: 'an empty one' } }
    : undefined

function textFault(name: string, text: string, bytesMax: number): FormFault | undefined {
  if (Buffer.byteLength(text) > bytesMax)
    return {
      reason: 'OVERSIZE',
      evidence: { rule: `${name} is not too long`, expected: `at most ${bytesMax} bytes`, actual: excerpt(text) },
    }
  if (UNPRINTABLE.test(text))
    return {
      reason: 'MALFORMED',
      evidence: {
        rule: `${name} is printable`,
        expected: 'no control, format or invisible character',
        actual: excerpt(text),
      },
    }
  return undefined
}

const PATTERNS_SHOWN = 4

/** "A digest counts in the market whose projects it names" (decision 0022). */
const foreignFault = (projectId: string, patterns: readonly string[]): FormFault | undefined =>
  takesProject(patterns, projectId)
    ? undefined
    : {
        reason: 'FOREIGN_PROJECT',
        evidence: {
          rule: 'the project is one of the data market',
          expected: excerpt(patterns.slice(0, PATTERNS_SHOWN).join(', ')),
          actual: excerpt(projectId),
        },
      }

/**
 * Controls (C0, DEL, C1), line and paragraph separators, format characters (direction, zero width, tags), what is to be
 * shown as nothing, and halves of surrogate pairs: Cc, Cf, Zl, Zp, Cs and Default_Ignorable_Code_Point of Unicode 16. As
 * ranges, and not by those names: their members change with the version of Node, and a verdict must not.
 */
const UNPRINTABLE_RANGES = [
  [0x0000, 0x001f],
  [0x007f, 0x009f],
  [0x00ad],
  [0x034f],
  [0x0600, 0x0605],
  [0x061c],
  [0x06dd],
  [0x070f],
  [0x0890, 0x0891],
  [0x08e2],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x2060, 0x206f],
  [0x3164],
  [0xd800, 0xdfff],
  [0xfe00, 0xfe0f],
  [0xfeff],
  [0xffa0],
  [0xfff0, 0xfffb],
  [0x110bd],
  [0x110cd],
  [0x13430, 0x1343f],
  [0x1bca0, 0x1bca3],
  [0x1d173, 0x1d17a],
  [0xe0000, 0xe0fff],
] as const

const classOf = (ranges: readonly (readonly number[])[]): string =>
  `[${ranges.map((ends) => ends.map((end) => `\\u{${end.toString(16)}}`).join('-')).join('')}]`

const UNPRINTABLE = new RegExp(classOf(UNPRINTABLE_RANGES), 'u')
const EVERY_UNPRINTABLE = new RegExp(UNPRINTABLE, 'gu')

const EXCERPT_CHARACTERS = 64

/** Foreign text as evidence shows it: its beginning, with what is not printable as `\u{…}`, and its size when it is cut. */
export function excerpt(text: string): string {
  // No code point has more than two UTF-16 units, so the cut is made on a short piece of what may be long.
  const beginning = [...text.slice(0, 2 * EXCERPT_CHARACTERS)].slice(0, EXCERPT_CHARACTERS).join('')
  const shown = beginning.replace(EVERY_UNPRINTABLE, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`)
  return beginning === text ? shown : `${shown}… (${Buffer.byteLength(text)} bytes)`
}
