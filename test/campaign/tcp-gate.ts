/** A TCP relay that can be shut: what is behind it is then unreachable, as in an outage, and comes back unharmed. */
import { connect, createServer, type Server, type Socket } from 'node:net'

export class TcpGate {
  readonly port: number
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private shut = false

  private constructor(server: Server) {
    this.server = server
    this.port = (server.address() as { port: number }).port
  }

  static async start(targetPort: number): Promise<TcpGate> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const gate = new TcpGate(server)
    server.on('connection', (client) => gate.relay(client, targetPort))
    return gate
  }

  /** Cuts every connection; new ones are closed at once. */
  close(): void {
    this.shut = true
    for (const socket of this.sockets) socket.destroy()
  }

  open(): void {
    this.shut = false
  }

  async stop(): Promise<void> {
    this.close()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private relay(client: Socket, targetPort: number): void {
    if (this.shut) {
      client.destroy()
      return
    }
    const target = connect(targetPort, '127.0.0.1')
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => {
        this.sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
  }
}
