export class CodecError extends Error {
  readonly code: 'NOT_FRAMED' | 'UNKNOWN_SCHEMA' | 'UNREADABLE'
  constructor(code: CodecError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CodecError'
    this.code = code
  }
}
