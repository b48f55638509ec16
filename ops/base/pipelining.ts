/**
 * How many requests of one connection wait at once. HTTP/1.1 lets a client send without reading (pipelining), and Node handles
 * all that a read of 64 KiB holds, some 2,000 requests, before the event loop gets a turn. Browsers, proxies and HTTP libraries
 * send the next request when they have the answer, so a connection on which more wait is cut before any work is done for them.
 */
import { type IncomingMessage, type Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** A request that is answered, and a request that came too early. */
const WAITING_MAX = 2
/** After these a connection is closed with its last answer; who goes on opens another, which is counted. */
const REQUESTS_PER_CONNECTION_MAX = 1_000

/** Requests whose answers have not been handed to the system. */
const waiting = new WeakMap<Socket, number>()

class CountedResponse extends ServerResponse {
  constructor(...given: ConstructorParameters<typeof ServerResponse>) {
    super(...given)
    const { socket } = given[0]
    count(socket, 1)
    this.once('close', () => count(socket, -1))
  }
}

const count = (socket: Socket, change: number): void => void waiting.set(socket, (waiting.get(socket) ?? 0) + change)

/** The handler that Node's parser of a connection calls for each request; a negative answer stops it, also in the middle of a read. */
interface Parser {
  onIncoming(request: IncomingMessage, keepAlive: boolean): number
}
const STOP = -1

/** For the making of a server, beside `cutPipelines`. */
export const PIPELINE_OPTIONS = {
  http: { ServerResponse: CountedResponse as typeof ServerResponse },
  maxRequestsPerSocket: REQUESTS_PER_CONNECTION_MAX,
}

export function cutPipelines(server: Server): void {
  server.on('connection', (socket) => {
    const { parser } = socket as Socket & { parser?: Parser | null }
    if (!parser) return // refused by a listener before this one
    const incoming = parser.onIncoming
    parser.onIncoming = (request, keepAlive) => {
      if (!socket.destroyed && (waiting.get(socket) ?? 0) < WAITING_MAX) return incoming(request, keepAlive)
      socket.destroy()
      return STOP
    }
  })
}
