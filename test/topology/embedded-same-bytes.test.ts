/** The running stages on the embedded log give the same batches, byte for byte, however the log and the bursts are cut. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openEmbeddedLog } from '../../connectors/log/embedded/embedded.ts'
import { EPOCHS, play } from './same-bytes.ts'

let directory: string
let expected: unknown[]
const onOneLog = () => openEmbeddedLog({ directory })

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'same-bytes-'))
  expected = await play({ open: onOneLog, partitions: 1, instances: 1 })
})
afterAll(() => rm(directory, { recursive: true }))

test('default: the play has batches in every epoch, more than one in some', () => {
  expect(expected.length).toBeGreaterThan(EPOCHS + 1)
})

test.each([
  { partitions: 1, commitIntervalMs: 5, burstBytesMax: 1 },
  { partitions: 3, commitIntervalMs: 5 },
  { partitions: 3, commitIntervalMs: 300, burstBytesMax: 2_000 },
  { partitions: 8, commitIntervalMs: 5, burstBytesMax: 1 },
  { partitions: 8, commitIntervalMs: 300 },
])('behavior: $partitions partitions, commits every $commitIntervalMs ms or $burstBytesMax bytes', async (setting) => {
  const { partitions, ...pace } = setting
  expect(await play({ open: onOneLog, partitions, instances: 1, pace })).toEqual(expected)
})
