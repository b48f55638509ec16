/** A TCP proxy before one Kafka broker that loses, holds and cuts chosen requests: faults that a broker has no switch for. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { FrameSplitter } from './kafka-frames.ts'

export const Api = {
  PRODUCE: 0,
  METADATA: 3,
  FIND_COORDINATOR: 10,
  SYNC_GROUP: 14,
  INIT_PRODUCER_ID: 22,
  ADD_PARTITIONS_TO_TXN: 24,
  ADD_OFFSETS_TO_TXN: 25,
  END_TXN: 26,
  TXN_OFFSET_COMMIT: 28,
} as const

/**
 * - `lose answer`: the broker does it, its answer is swallowed.
 * - `cut before`: the connection is closed instead of passing the request on.
 * - `cut after`: the broker does it; the connection is closed instead of passing the answer on.
 * - `hold`: the request is passed on when it is released, whatever has come after it by then.
 */
export type FaultKind = 'lose answer' | 'cut before' | 'cut after' | 'hold'

export interface Fault {
  /** Resolves when the request has come; for `lose answer` and `cut after`, when the broker has answered it. */
  readonly happened: Promise<void>
  /** Passes a held request on; resolves when the broker has answered. */
  release(): Promise<void>
}

interface Planned {
  readonly apiKey: number
  readonly kind: FaultKind
  readonly contains: string
  readonly happen: () => void
  readonly released: Signal
  readonly answered: () => void
}

const HEADER_API_KEY_AT = 4
const HEADER_CORRELATION_AT = 8
const ANSWER_CORRELATION_AT = 4

export class KafkaProxy {
  readonly port: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly planned: Planned[] = []
  private isDown = false

  private constructor(server: Server) {
    this.server = server
    this.port = (server.address() as { port: number }).port
  }

  /** @param targetPort of the broker, which must be told that its clients reach it at the proxy's port */
  static async start(targetPort: number): Promise<KafkaProxy> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const proxy = new KafkaProxy(server)
    server.on('connection', (client) => proxy.accept(client, targetPort))
    return proxy
  }

  /** What is to become of the next request of this API. @param contains text that the request must have in it */
  next(apiKey: number, kind: FaultKind, contains = ''): Fault {
    const happened = signal()
    const released = signal()
    const answered = signal()
    this.planned.push({ apiKey, kind, contains, happen: happened.raise, released, answered: answered.raise })
    const release = (): Promise<void> => {
      released.raise()
      return answered.raised
    }
    return { happened: happened.raised, release }
  }

  /** Faults that have not happened yet. */
  get waiting(): number {
    return this.planned.length
  }

  /** Faults that have not happened yet will not. */
  heal(): void {
    this.planned.splice(0)
  }

  /** Closes every connection at once; new ones are taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy()
  }

  /** As if the broker were gone, until it is `up`: every connection is closed, new ones too. */
  down(): void {
    this.isDown = true
    this.cut()
  }

  up(): void {
    this.isDown = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accept(client: Socket, targetPort: number): void {
    if (this.isDown) return void client.destroy()
    const broker = connect(targetPort, '127.0.0.1')
    const answers = new Map<number, Planned>()
    const end = (): void => {
      client.destroy()
      broker.destroy()
    }
    for (const socket of [client, broker]) {
      this.sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.sockets.delete(socket))
    }
    // What is held is still under way to the broker, whether or not its sender waits for it.
    client.on('close', () => holdsAny(answers) || broker.destroy())
    broker.on('close', () => client.destroy())
    const requests = new FrameSplitter((frame) => this.request(frame, broker, answers, end))
    const replies = new FrameSplitter((frame) => {
      this.answer(frame, client, answers, end)
      if (client.destroyed && !holdsAny(answers)) broker.destroy()
    })
    client.on('data', (bytes) => requests.push(bytes))
    broker.on('data', (bytes) => replies.push(bytes))
  }

  private request(frame: Buffer, broker: Socket, answers: Map<number, Planned>, cut: () => void): void {
    const fault = this.take(frame)
    if (fault?.kind === 'cut before') {
      fault.happen()
      cut()
    } else if (fault === undefined) broker.write(frame)
    else this.misuse(fault, frame, broker, answers)
  }

  private misuse(fault: Planned, frame: Buffer, broker: Socket, answers: Map<number, Planned>): void {
    answers.set(frame.readInt32BE(HEADER_CORRELATION_AT), fault)
    if (fault.kind !== 'hold') {
      broker.write(frame)
      return
    }
    fault.happen()
    void fault.released.raised.then(() => broker.write(frame))
  }

  private answer(frame: Buffer, client: Socket, answers: Map<number, Planned>, cut: () => void): void {
    const correlation = frame.readInt32BE(ANSWER_CORRELATION_AT)
    const fault = answers.get(correlation)
    answers.delete(correlation)
    fault?.answered()
    if (fault === undefined || fault.kind === 'hold') {
      if (!client.destroyed) client.write(frame)
      return
    }
    fault.happen()
    if (fault.kind === 'cut after') cut()
  }

  private take(frame: Buffer): Planned | undefined {
    const apiKey = frame.readInt16BE(HEADER_API_KEY_AT)
    const at = this.planned.findIndex((one) => one.apiKey === apiKey && frame.includes(one.contains))
    return at < 0 ? undefined : this.planned.splice(at, 1)[0]
  }
}

const holdsAny = (answers: ReadonlyMap<number, Planned>): boolean =>
  [...answers.values()].some(({ kind }) => kind === 'hold')

interface Signal {
  readonly raised: Promise<void>
  readonly raise: () => void
}

function signal(): Signal {
  let raise = (): void => {}
  const raised = new Promise<void>((resolve) => {
    raise = resolve
  })
  return { raised, raise }
}
