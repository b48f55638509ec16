/** Whether a broker serves clients: a Metadata request (version 1, no topics) written by hand, so that it needs no client. */
import { connect } from 'node:net'

const TIMEOUT_MS = 2_000
/** Length, api key 3, version 1, correlation id 1, no client id, an array of 0 topics. */
const METADATA_REQUEST = Buffer.from('0000000e0003000100000001ffff00000000', 'hex')
const BROKER_COUNT_AT = 8

/** Number of brokers that this one knows to be alive; 0 when it does not answer. */
export function brokersAlive(port: number): Promise<number> {
  return new Promise((done) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: TIMEOUT_MS })
    let answer = Buffer.alloc(0)
    const finish = (count: number) => {
      socket.destroy()
      done(count)
    }
    socket.once('connect', () => socket.write(METADATA_REQUEST))
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length >= BROKER_COUNT_AT + 4) finish(answer.readInt32BE(BROKER_COUNT_AT))
    })
    for (const event of ['error', 'timeout', 'end']) socket.once(event, () => finish(0))
  })
}
