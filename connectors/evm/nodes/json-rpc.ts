/** Requests and answers of JSON-RPC 2.0, and what nodes say in place of a result. */
import { AbiCoder } from 'ethers'
import type { EvmError } from '../errors.ts'
import { badAnswer, shown } from './rpc-values.ts'

export interface Request {
  readonly id: number
  readonly method: string
  readonly params: readonly unknown[]
}

export type Answer = { readonly result: unknown } | { readonly error: NodeError }

/** The error of a node in place of a result, in the form that ethers gives: `CALL_EXCEPTION` when it ran the call, and it reverted. */
export class NodeError extends Error {
  readonly code: number | 'CALL_EXCEPTION'
  readonly data: string | undefined
  /** The words of the contract. */
  readonly reason: string | undefined
  constructor(code: number, message: string, data: string | undefined) {
    super(message)
    this.name = 'NodeError'
    this.code = data === undefined ? code : 'CALL_EXCEPTION'
    this.data = data
    this.reason = data === undefined ? undefined : reasonOf(data)
  }
}

/** The request came through to no node, or no answer of JSON-RPC came back: a gateway, or something in its place, spoke. */
export class NotAnswered extends NodeError {
  constructor(message: string) {
    super(0, message, undefined)
  }
}

/** The failure of a request which no node has answered: it is not known whether one has it. */
export const isUnanswered = ({ code, cause }: EvmError): boolean =>
  code === 'UNREACHABLE' || cause instanceof NotAnswered

export const textOfRequest = ({ id, method, params }: Request): object => ({ jsonrpc: '2.0', id, method, params })

/** The number of the request that an answer is for. The id must be what was sent, but some gateways make a string of it. */
export function idOf(raw: unknown): unknown {
  const id = (raw as { id?: unknown } | null)?.id
  return typeof id === 'string' && String(Number(id)) === id ? Number(id) : id
}

/** Refused, and not by the contract that was called. */
export const isRefusal = (answer: Answer): boolean => 'error' in answer && answer.error.data === undefined

export function answerOf(raw: unknown): Answer {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw badAnswer(`not an answer of JSON-RPC: ${shown(raw)}`)
  const { result, error } = raw as { result?: unknown; error?: unknown }
  if (error === undefined || error === null) return { result }
  const { code, message, data } = (typeof error === 'object' ? error : { message: error }) as Record<string, unknown>
  const said = typeof message === 'string' ? message : shown(error)
  const isRevert = code === 3 || /revert/i.test(said) || /^revert/i.test(String(data))
  return { error: new NodeError(typeof code === 'number' ? code : 0, said, isRevert ? revertDataOf(data) : undefined) }
}

/** Nodes put it into `data`, some one level deeper or behind a word. */
function revertDataOf(data: unknown): string | undefined {
  const deeper = typeof data === 'object' && data !== null ? (data as { data?: unknown }).data : data
  if (typeof deeper !== 'string') return undefined
  return /(?:^|\s)(0x(?:[0-9a-fA-F]{2})*)$/.exec(deeper)?.[1]
}

const ERROR_SELECTOR = '0x08c379a0'

function reasonOf(data: string): string | undefined {
  if (!data.startsWith(ERROR_SELECTOR)) return undefined
  try {
    const [reason] = AbiCoder.defaultAbiCoder().decode(['string'], `0x${data.slice(ERROR_SELECTOR.length)}`)
    return String(reason)
  } catch {
    return undefined
  }
}
