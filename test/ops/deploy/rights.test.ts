/** Rights that are too many, and logins that are good for too much: told in words by `deploy plan` and `doctor`. */
import { expect, test } from 'vitest'
import type { Acl } from '../../../ops/deploy/acls.ts'
import { weaknessesOf } from '../../../ops/deploy/rights.ts'

const acl = (
  principal: string,
  operation: Acl['operation'],
  name: string,
  pattern: Acl['pattern'] = 'literal',
): Acl => ({
  principal,
  operation,
  name,
  pattern,
  host: '*',
  resource: 'topic',
})
const TOPICS = ['main-submissions', 'main-validated', 'main-verdicts']
const principals = { intake: 'User:edge', validate: 'User:judge' }
const wanted = [
  acl('User:edge', 'Write', 'main-submissions'),
  acl('User:judge', 'Read', 'main-submissions'),
  acl('User:judge', 'Write', 'main-validated'),
]

test('default: nothing, when each role has its own login and exactly its rights', () => {
  expect(weaknessesOf(principals, wanted, wanted, TOPICS)).toEqual([])
})

test('behavior: one login for two roles', () => {
  const shared = { intake: 'User:all', validate: 'User:all', admit: 'User:other' }
  expect(weaknessesOf(shared, [], [], TOPICS)).toEqual([
    'User:all is the login of intake, validate: an attacker who takes one of them has the rights of all',
  ])
})

test.each([
  ['a right on the topic', acl('User:edge', 'Write', 'main-validated'), 'User:edge may write main-validated, which'],
  [
    'a right on all that begins alike',
    acl('User:x', 'Write', 'main-v', 'prefixed'),
    'User:x may write main-validated, main-verdicts,',
  ],
  [
    'a right on everything',
    acl('User:x', 'All', '*'),
    'User:x may write main-submissions, main-validated, main-verdicts,',
  ],
])('behavior: %s that no role of the login needs', (_, extra, words) => {
  expect(weaknessesOf(principals, wanted, [...wanted, extra], TOPICS)).toEqual([expect.stringContaining(words)])
})

test('behavior: reading, and topics of others, are nobody’s business here', () => {
  const extra = [acl('User:x', 'Read', 'main-submissions'), acl('User:x', 'Write', 'theirs')]
  expect(weaknessesOf(principals, wanted, [...wanted, ...extra], TOPICS)).toEqual([])
})

test('error: brokers without access control', () => {
  expect(weaknessesOf(principals, wanted, undefined, TOPICS)).toEqual([expect.stringContaining('no access control')])
})
