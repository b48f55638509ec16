/**
 * The only way to standard output and standard error: commands hand over lines, without line feeds, or a value for JSON. Foreign
 * text in them is shown and never obeyed, also when the author of a line forgot to escape it; test/tidy.test.ts sees to it that
 * nothing else writes to a terminal.
 */
import { printableJson, printableLine } from './printable.ts'

/** Each becomes one line of the output: a line feed within it is shown as an escape. */
export type Lines = readonly string[]

/** Characters of a line; what is longer was not bounded where it should have been. */
const LINE_MAX = 4_000

/** As it is written. */
export const textOf = (lines: Lines): string => lines.map((line) => `${printableLine(bounded(line))}\n`).join('')

const bounded = (line: string): string =>
  line.length <= LINE_MAX ? line : `${line.slice(0, LINE_MAX)}… (${Buffer.byteLength(line)} bytes)`

/** One line of JSON. */
export const jsonOf = (value: unknown): string => `${printableJson(JSON.stringify(value))}\n`

export interface Output {
  readonly isTerminal: boolean
  /** Size of a terminal; undefined elsewhere. */
  readonly size: { readonly rows: number; readonly columns: number } | undefined
  print(...lines: Lines): void
  printJson(value: unknown): void
  /** Bytes for a program, e.g. a file that is asked for on standard output. A terminal is given them as `print` would. */
  printRaw(text: string): void
  /** Lines in the place of the last `rows` lines of a terminal. */
  redraw(rows: number, lines: Lines): void
}

export function outputTo(stream: NodeJS.WritableStream): Output {
  const terminal = stream as NodeJS.WriteStream
  const print = (...lines: Lines): void => void stream.write(textOf(lines))
  return {
    isTerminal: terminal.isTTY === true,
    get size() {
      const { rows, columns } = terminal
      return rows === undefined || columns === undefined ? undefined : { rows, columns }
    },
    print,
    printJson: (value) => void stream.write(jsonOf(value)),
    printRaw: (text) => (terminal.isTTY ? print(...text.replace(/\n$/, '').split('\n')) : void stream.write(text)),
    // \r: a terminal shows Ctrl-C where the cursor stands
    redraw: (rows, lines) => void stream.write(`${rows > 0 ? `\r\u001b[${rows}A\u001b[0J` : ''}${textOf(lines)}`),
  }
}

export const stdout = outputTo(process.stdout)
export const stderr = outputTo(process.stderr)

/** The answer of a command: in words, or as JSON when that was asked for. */
export const answer = (json: unknown, value: unknown, lines: () => Lines): void =>
  json ? stdout.printJson(value) : stdout.print(...lines())
