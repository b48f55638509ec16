import type { FastifyInstance } from 'fastify'
import { CliError, EXIT } from './cli-error.ts'

/** @param what for whom the port is, in words @param advice how to choose another one */
export async function listenAt(
  server: FastifyInstance,
  { host, port }: { readonly host: string; readonly port: number },
  what: string,
  advice: string,
): Promise<string> {
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EADDRINUSE' || code === 'EACCES')
      throw new CliError(
        `port ${port} for ${what} ${code === 'EADDRINUSE' ? 'is in use' : 'is not for this user'}`,
        advice,
        EXIT.unavailable,
        error,
      )
    throw error
  }
}
