import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createFileBlockStore } from '../../../../connectors/ipfs/file-store.ts'
import { Findings } from '../../../../ops/check/audit/report.ts'
import { compareBlocks } from '../../../../ops/check/audit/stored-blocks.ts'
import { newFolder } from '../../../folder.ts'

test('error: a flipped byte in a stored batch is told by the name of its block', async () => {
  const directory = newFolder()
  const store = await createFileBlockStore({ directory })
  for (const text of ['one', 'two']) await store.put(Buffer.from(text.repeat(100)))
  const sound = new Findings()
  expect(await compareBlocks(directory, sound)).toBe(2)
  expect(sound.differences()).toEqual([])
  const name = readdirSync(directory, { recursive: true })
    .map(String)
    .find((one) => one.endsWith('.data'))!
  const bytes = readFileSync(join(directory, name))
  bytes[7]! ^= 1
  writeFileSync(join(directory, name), bytes)
  const findings = new Findings()
  await compareBlocks(directory, findings)
  expect(findings.differences()).toEqual([
    { kind: 'mismatches', where: `block ${name}`, message: 'its bytes do not have its CID' },
  ])
  expect(await compareBlocks(join(directory, 'none'), new Findings())).toBe(0)
})
