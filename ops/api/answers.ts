/** Answers as they were given, for as long as the view stays as it is: however many ask the same, it is read once. */
import { createHash } from 'node:crypto'

export interface Answer {
  readonly text: string
  /** Tag of the text: the same bytes have the same, whatever the position of the log. */
  readonly etag: string
}

/** Kept at most; and no longer one, so that all together take 32 MiB. */
const ANSWERS_MAX = 512
const CHARS_MAX = 64 * 1024

export class Answers {
  private readonly kept = new Map<string, Promise<Answer>>()
  private version = ''

  /**
   * The answer to `url` from a version of the view, made unless there is one. Versions come in the order in which their
   * snapshots were taken, so an answer is never older than one before it.
   */
  at(version: string, url: string, make: () => Promise<Answer>): Promise<Answer> {
    if (version !== this.version) this.kept.clear()
    this.version = version
    const known = this.kept.get(url)
    if (known) return known
    const made = make()
    if (this.kept.size >= ANSWERS_MAX) return made
    this.kept.set(url, made)
    const forget = (): void => {
      if (this.kept.get(url) === made) this.kept.delete(url)
    }
    made.then(({ text }) => {
      if (text.length > CHARS_MAX) forget()
    }, forget)
    return made
  }
}

export const etagOf = (bytes: string | Buffer): string => `"${createHash('sha1').update(bytes).digest('base64url')}"`
