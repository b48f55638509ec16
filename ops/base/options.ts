/** Options of the commands, parsed once; every fault is reported, with what was given and what is wanted. */
import { z } from 'zod'
import { CliError } from './cli-error.ts'
import type { Lines } from './output.ts'
import { rememberUrl, shownUrl } from './shown-url.ts'

/** Help of `--json` for every command that answers once. */
export const AS_JSON = 'print the answer as JSON'

/** A whole number in decimal digits, with a sign when it is negative. */
export const whole = (min: number, max: number) =>
  z
    .union([z.string(), z.number()])
    .refine((given) => /^-?[0-9]+$/.test(String(given)) && Number(given) >= min && Number(given) <= max, {
      error: `not a whole number from ${min} to ${max}`,
    })
    .transform(Number)

/** A share of a whole. */
export const share = z
  .union([z.string(), z.number()])
  .refine((given) => /^[0-9]*\.?[0-9]+$/.test(String(given)) && Number(given) <= 1, {
    error: 'not a number from 0 to 1',
  })
  .transform(Number)

export const port = whole(0, 65_535)
/** An http or https URL. No message shows the keys in it from then on. */
export const httpUrl = z.url({ protocol: /^https?$/, error: 'not an http or https URL' }).refine((url) => {
  rememberUrl(url)
  return true
})
export const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/, 'not 0x and 40 hex digits')
  .transform((text) => text.toLowerCase())
export const oneOf = <const Words extends readonly string[]>(...words: Words) =>
  z.enum(words, { error: `not one of ${words.join(', ')}` })

/** The one of the known markets that is meant; it may be left out where there is one. Throws CliError. */
export function marketOf(known: readonly string[], given: string | undefined): string {
  if (given !== undefined && !known.includes(given))
    throw new CliError(`${given} is not one of the data markets: ${known.join(', ')}`, 'Check --data-market.')
  if (given === undefined && known.length > 1)
    throw new CliError(`there are several data markets: ${known.join(', ')}`, 'Name one with --data-market.')
  return given ?? known[0]!
}

/** For a rule over several fields: its fault is told beside the faults of the fields. */
export const evenWithFaults = (error: string) => ({ error, when: () => true })

/**
 * @param command as it is typed, for the advice
 * @param argument the field that is given without a name
 * Throws CliError that lists every fault.
 */
export function parseOptions<T>(schema: z.ZodType<T>, given: unknown, command: string, argument?: string): T {
  const parsed = schema.safeParse(given, { reportInput: true })
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.map((issue) => faultOf(issue, argument))
  throw new CliError(
    aligned(faults),
    `See \`${command.startsWith('npm ') ? command : `sequencer ${command}`} --help\`.`,
  )
}

function faultOf({ path: [field], input, message }: z.core.$ZodIssue, argument: string | undefined): string {
  if (field === undefined) return message
  const name = field === argument ? `<${argument}>` : `--${kebab(String(field))}`
  return `${name}${input === undefined ? '' : ` ${shownInput(input)}`}: ${message}`
}

/** As `error: ` is wide. */
const aligned = ([first = '', ...more]: Lines): Lines => [first, ...more.map((fault) => `       ${fault}`)]

/** In an invalid address nobody can say where its login ends. */
function shownInput(input: unknown): string {
  if (typeof input !== 'string' || URL.canParse(input))
    return JSON.stringify(typeof input === 'string' ? shownUrl(input) : input)
  const scheme = /^(https?:\/*|[^:]*:\/\/)/i.exec(input)?.[0]
  return JSON.stringify(scheme === undefined ? input : `${scheme}…`)
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
