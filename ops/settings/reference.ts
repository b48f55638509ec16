/** docs/configuration.md, from the schema. */
import { ROLE_HELP, ROLES } from '../base/roles.ts'
import { SECTIONS, SETTINGS, type Setting } from './list.ts'

const INTRODUCTION = `# Configuration of a sequencer on a cluster

Written by \`sequencer config reference > docs/configuration.md\`; a test compares.

Settings come from a file (\`--config\`, or \`SEQUENCER_CONFIG\`; YAML or JSON), then from the environment, then from flags.
Each later one wins, setting by setting. Any setting can be given as \`--set <setting>=<value>\`. Lists are separated by
commas, or JSON. All faults are reported together, each with its place; an unknown setting is one. \`sequencer config print\`
shows every value and where it came from.

Secrets are never settings: a setting names the file that holds one.

`

export function configurationReference(): string {
  const top = SETTINGS.filter(({ path }) => !path.includes('.'))
  const sections = [...SECTIONS].map(([section, help]) => {
    const settings = SETTINGS.filter(({ path }) => path.startsWith(`${section}.`))
    return `## \`${section}\`\n\n${help ? `${help}\n\n` : ''}${tableOf(settings)}`
  })
  return `${INTRODUCTION}${tableOf(top)}\n${sections.join('\n')}\n${rolesTable()}\n${MARKET_RULES}`
}

const tableOf = (settings: readonly Setting[]): string =>
  [
    '| setting | variable, flag | default | meaning |',
    '|---|---|---|---|',
    ...settings.map(
      ({ path, variable, flag, fallback, help }) =>
        `| \`${path}\` | \`${variable}\`${flag ? `, \`${flag}\`` : ''} | ${defaultOf(fallback)} | ${help} |`,
    ),
    '',
  ].join('\n')

const defaultOf = (fallback: unknown): string =>
  fallback === undefined || fallback === ''
    ? ''
    : `\`${typeof fallback === 'string' ? fallback : JSON.stringify(fallback)}\``

const rolesTable = (): string =>
  [
    '## Roles',
    '',
    '| role | what it does |',
    '|---|---|',
    ...ROLES.map((role) => `| \`${role}\` | ${ROLE_HELP[role]}. |`),
    '',
  ].join('\n')

const MARKET_RULES = `## A market

\`markets\` takes addresses (\`SEQUENCER_MARKETS=0x…,0x…\`), or objects with \`dataMarket\` and any of the rules under
\`addedMarkets\`, by the same names and with the same defaults. A market can also be added and removed while everything runs,
\`sequencer markets add 0x…\`; it has the rules of \`addedMarkets\` then, unless it is configured too.

\`\`\`yaml
kafka: { brokers: [kafka-1:9092, kafka-2:9092, kafka-3:9092] }
registry: { url: http://registry:8081 }
chain:
  rpcUrlsFile: /run/secrets/rpc-urls
  chainId: 11169
  protocolState: "0x…"
markets:
  - "0x…"
  - { dataMarket: "0x…", votesMin: 3, windowUnit: seconds }
anchor: { signerKeyFile: /run/secrets/signer-key }
storage: { kubo: [http://kubo:5001] }
\`\`\`
`
