/** `sequencer schemas` at a server that answers, but not as a registry does. */
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type FakeConfluent, startFakeConfluent } from '../../../connectors/schema-registry/fake-confluent.ts'
import { runHere } from '../../run-here.ts'

let fake: FakeConfluent
beforeEach(async () => {
  fake = await startFakeConfluent()
})
afterEach(() => fake.close())

test.each(['diff', 'check', 'register', 'export'])(
  'error: schemas %s names the address, not a fault of ours',
  async (verb) => {
    for (let at = 0; at < 100; at++) fake.failures.push([200, { of: 'something else' }])
    const { exitCode, stderr } = await runHere(['schemas', verb, '--registry', fake.url])
    expect([exitCode, stderr]).toEqual([3, expect.stringContaining('the registry answered something else: {"of":')])
    expect(stderr).toContain(fake.url)
    expect(stderr).toContain('Give the base of Confluent’s interface')
  },
)

test.each(['diff', 'check', 'register'])('error: schemas %s at a version that is no schema', async (verb) => {
  const body = JSON.stringify({ schema: '{"type":"record"}' })
  await fetch(`${fake.url}/subjects/slots-key/versions`, { method: 'POST', body })
  const { exitCode, stderr } = await runHere(['schemas', verb, '--registry', fake.url])
  expect([exitCode, stderr]).toEqual([3, expect.stringMatching(/version 1 of slots-key at \S+ is no Avro schema/)])
})
