/** Child of bench/intake.ts: floods an intake with the same message until it is stopped. */
import { readFileSync } from 'node:fs'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const [, , to = '', encryption = 'tls', connections = '4', streams = '4', perSend = '1'] = process.argv
const vectors = new URL('../test/vectors/wire.json', import.meta.url)
const message = Buffer.from(JSON.parse(readFileSync(vectors, 'utf8')).messages[0].wireHex, 'hex')
const bytes = Buffer.concat(Array(Number(perSend)).fill(message))

async function flood(stream: Stream): Promise<never> {
  for (;;) {
    for (let i = 0; i < 64; i++)
      if (!stream.send(bytes) && stream.writableNeedsDrain)
        await new Promise((resolve) => stream.addEventListener('drain', resolve, { once: true }))
    await new Promise(setImmediate)
  }
}

for (let c = 0; c < Number(connections); c++) {
  const host = await createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [encryption === 'tls' ? tls() : noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })
  for (let s = 0; s < Number(streams); s++)
    host.dialProtocol(multiaddr(to), '/collect').then(flood, (error) => {
      throw error
    })
}
