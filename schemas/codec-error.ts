export class CodecError extends Error {
  readonly code: 'NOT_FRAMED' | 'UNKNOWN_SCHEMA' | 'UNREADABLE'
  constructor(code: CodecError['code'], message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CodecError'
    this.code = code
  }

  /** No release of ours wrote the bytes: they have no envelope, or an envelope with a schema id that no registry gives. */
  get isForeign(): boolean {
    return this.code === 'NOT_FRAMED'
  }
}
