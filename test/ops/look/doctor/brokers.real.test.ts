import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, test } from 'vitest'
import { examineBrokers } from '../../../../ops/look/doctor/brokers.ts'
import { freePorts } from '../../../../ops/world/brokers/ports.ts'

test('error: a broker that the others name and that does not answer is told, with what follows', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = '127.0.0.1'
  const here = { host, port: (server.address() as AddressInfo).port }
  const [closed] = await freePorts(1)
  const away = { host, port: closed! }
  try {
    expect(await examineBrokers([here])).toEqual({ check: 'brokers', ok: true, detail: `${host}:${here.port}` })
    expect(await examineBrokers([here, away])).toMatchObject({
      ok: false,
      detail: `1 of 2 do not answer: ${host}:${closed} (ECONNREFUSED)`,
      advice: expect.stringContaining('minInsyncReplicas'),
    })
  } finally {
    server.close()
  }
})
