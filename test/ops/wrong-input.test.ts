/**
 * Wrong input at the command line: each command says what was wrong and what to do, on standard error and without a stack,
 * and ends with the exit code of its kind.
 */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CliError, explain } from '../../ops/base/cli-error.ts'
import { textOf } from '../../ops/base/output.ts'
import { newFolder } from '../folder.ts'
import { runHere } from './run-here.ts'

const directory = newFolder()
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text)
  return join(directory, name)
}
const other = file('other.json', '{"a":1}')
const noJson = file('no.json', 'a batch')
const missing = join(directory, 'missing')
const CID = 'bafkreic63f2mrpqwnyyf5qg3othdawgpvw7mot2g2zlqp7ykcdneeatcia'
const PEER = '/ip4/127.0.0.1/tcp/9/p2p/12D3KooWLr4weBwN3aWWEJudfScMdZVjhhnrqoKqb2TUMRyT9Kwp'
const ZERO = `0x${'0'.repeat(40)}`
/** Nothing listens on this port, and it is none of those that fetch refuses by itself. */
const NOBODY = 'http://127.0.0.1:2'

/** Arguments, exit code, and what standard error must say. */
const cases: readonly (readonly [args: readonly string[], exitCode: number, ...said: string[]])[] = [
  [[], 2, 'Usage: sequencer', 'verify'],
  [['nope'], 2, "unknown command 'nope'", '--help'],
  [['dev', '--nope'], 2, "unknown option '--nope'", '--help'],
  [['dev', 'more'], 2, 'too many arguments', '--help'],
  [
    ['dev', '--epochs', '0', '--partitions', 'x', '--ops-port', '99999', '--bad-share', '2', '--rpc', 'node'],
    2,
    '--epochs "0": not a whole number from 1 to',
    '--partitions "x": not a whole number',
    '--ops-port "99999"',
    '--bad-share "2": not a number from 0 to 1',
    '--rpc "node": not an http or https URL',
    '--help',
  ],
  [['dev', '--tree', 'oak', '--cid-version', '2'], 2, '--tree "oak": not one of chained, fresh', '--cid-version "2"'],
  [['dev', '--epochs'], 2, "option '--epochs <n>' argument missing"],
  [['verify'], 2, "missing required argument 'file|cid'"],
  [['verify', missing], 2, `there is no file ${missing}`, 'Give the path of a batch file'],
  [['verify', directory], 2, `${directory} is no file`],
  [['verify', noJson], 1, 'no JSON text', 'A batch is JSON with'],
  [['verify', other], 1, 'no batch', 'submissionIDs', 'A batch is JSON with'],
  [['verify', CID], 3, 'was not found', '--blocks or --data-dir'],
  [['verify', CID, '--data-dir', missing], 3, 'was not found', missing],
  [['verify', CID, '--kubo', NOBODY], 3, 'ECONNREFUSED', 'Start the storage node'],
  [['verify', CID, '--kubo', 'kubo'], 2, '--kubo "kubo": not an http'],
  [
    ['verify', other, '--chain-id', 'x', '--slot', '3'],
    2,
    '--chain-id "x"',
    '--slot "3": not <slot>=',
    'belong together',
  ],
  [['audit', '--data-dir', missing], 3, `${missing} is not a data directory`, 'Check --data-dir'],
  [['audit', '--rpc', 'node'], 2, '--rpc "node": not an http or https URL'],
  [['why'], 2, '--slot or --submission-id is needed', 'why --help'],
  [['why', '--slot', '1.5', '--epoch', '-1'], 2, '--slot "1.5": not a whole number', '--epoch "-1"'],
  [['why', '--epoch', '-1', '--data-market', 'x'], 2, '--epoch "-1"', '--data-market "x"', '--slot or --submission-id'],
  [['why', '--slot', '1', '--data-dir', missing], 3, 'is not a data directory'],
  [['epoch'], 2, "missing required argument 'id'"],
  [['epoch', 'x'], 2, '<id> "x": not a whole number'],
  [['epoch', '9007199254740992'], 2, '<id> "9007199254740992": not a whole number'],
  [['markets', 'add', 'x', '--wait', 'y'], 2, '<address> "x": not 0x and 40 hex', '--wait "y"'],
  [['epoch', '1', '--data-dir', missing, '--data-market', '0x1'], 2, '--data-market "0x1": not 0x and 40 hex'],
  [['topology'], 2, 'describe'],
  [['topology', 'describe', '--partitions', '0'], 2, '--partitions "0": not a whole number from 1'],
  [['topology', 'describe', '--prefix', 'a b'], 2, '--prefix "a b"'],
  [['doctor', '--rpc', 'node'], 2, '--rpc "node"'],
  [['snapshotters'], 2, "required option '--to <multiaddr>' not specified"],
  [
    ['snapshotters', '--to', 'x', '--protocol-state', '0x1', '--data-market', 'y', '--encryption', 'rot13'],
    2,
    '--to "x": not a multiaddr',
    '--protocol-state "0x1"',
    '--data-market "y"',
    '--encryption "rot13": not one of tls, noise, both',
  ],
  [
    [
      ...['snapshotters', '--to', PEER, '--protocol-state', ZERO, '--data-market', ZERO],
      ...['--presign', '1', '--rpc', NOBODY],
    ],
    3,
    'ECONNREFUSED',
    'Check --rpc',
  ],
]

describe('wrong input', () => {
  test.for(cases)('error: sequencer %s', async ([args, exitCode, ...said]) => {
    const { stdout, stderr, exitCode: ended } = await runHere(args)
    for (const words of said) expect(stderr).toContain(words)
    expect(stderr).not.toMatch(/^ {4}at /m)
    expect(stdout).toBe('')
    expect(ended, stderr).toBe(exitCode)
  })

  test('error: a doctor that finds something says what to do about it, and ends with 1', async () => {
    const { stdout, stderr, exitCode } = await runHere([
      'doctor',
      '--data-dir',
      directory,
      '--rpc',
      NOBODY,
      '--kubo',
      NOBODY,
    ])
    expect(stdout).toMatch(/FAIL {2}storage .*ECONNREFUSED[^\n]*\n +Start it, or check its address/)
    expect(stdout).toMatch(/FAIL {2}chain .*ECONNREFUSED[^\n]*\n +Start the node/)
    expect(exitCode, stderr).toBe(1)
  })

  test('error: a line feed in what is foreign begins no line', async () => {
    const forged = 'x\nerror: forged\n    at forged'
    const outside = Object.assign(new Error(forged), { code: 'UNREACHABLE', retriable: true })
    for (const error of [
      new CliError(forged, forged),
      new CliError([forged, forged], forged),
      outside,
      new Error(forged),
      forged,
    ])
      expect(textOf(explain(error).lines)).not.toMatch(/\n *(error: forged|at forged)/)
    expect(explain(new Error(forged)).lines.length).toBeGreaterThan(3)
    const name = join(directory, forged)
    const noKey = file('no key\nerror: forged', 'no key')
    chmodSync(noKey, 0o600)
    for (const args of [
      ['audit', '--data-dir', name],
      ['epoch', '1', '--data-dir', name],
      ['replay', '--epoch', '1', '--data-dir', name],
      ['keys', 'marker', noKey],
      ['config', 'check', '--config', name],
      ['verify', name],
      ['verify', `--${forged}`],
      [forged],
      ['doctor', '--rpc', forged],
    ]) {
      const { stderr, exitCode } = await runHere(args)
      expect([args, exitCode]).not.toEqual([args, 0])
      expect(stderr, stderr).toContain('\\nerror: forged')
      expect(stderr).not.toMatch(/\n *(error: forged|at forged)/)
    }
  })

  test('error: a fault of ours has a stack and asks for a report; one of the outside has neither', () => {
    expect(explain(new Error('a bug'))).toMatchObject({
      exitCode: 70,
      lines: expect.arrayContaining([expect.stringMatching(/^ +at /), expect.stringMatching(/report it/)]),
    })
    const full = explain(Object.assign(new Error('write'), { code: 'ENOSPC', syscall: 'write' }))
    expect(full).toMatchObject({ exitCode: 3, lines: ['error: write', expect.stringContaining('Free some space')] })
  })
})
