/** Settings of a cluster: where they come from, who wins, and that every fault is told at once with its place. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ROLES } from '../../../ops/base/roles.ts'
import { FLAGS, SETTINGS } from '../../../ops/settings/list.ts'
import { readConfiguration } from '../../../ops/settings/parse.ts'
import { configurationReference } from '../../../ops/settings/reference.ts'
import { newFolder } from '../../folder.ts'
import { runHere } from '../run-here.ts'

const directory = newFolder()
const MARKET = `0x${'a'.repeat(40)}`
const STATE = `0x${'B'.repeat(40)}`

const environment = {
  SEQUENCER_KAFKA_BROKERS: 'one:9092, two:9092',
  SEQUENCER_REGISTRY_URL: 'http://registry:8081',
  SEQUENCER_CHAIN_CHAIN_ID: '31337',
  SEQUENCER_CHAIN_PROTOCOL_STATE: STATE,
  SEQUENCER_MARKETS: MARKET,
}

/** The same by flags. */
const cluster = [
  ['kafka.brokers', 'one:9092'],
  ['chain.chainId', '31337'],
  ['chain.protocolState', STATE],
  ['markets', MARKET],
].flatMap(([path, value]) => ['--set', `${path}=${value}`])

function fileWith(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

const faultsOf = (
  flags: Record<string, unknown>,
  variables: Record<string, string> = environment,
  need?: () => string[],
): string => {
  try {
    readConfiguration(flags, variables, need)
  } catch (error) {
    return (error as Error).message
  }
  return ''
}

describe('sources', () => {
  test('default: the environment alone is enough', () => {
    const { settings, rules } = readConfiguration({}, environment)
    expect(settings).toMatchObject({ appId: 'sequencer', prefix: '', roles: ROLES })
    expect(settings.kafka.brokers).toEqual(['one:9092', 'two:9092'])
    expect(settings.instanceId).not.toBe('')
    expect(rules.markets[0]).toMatchObject({ dataMarket: MARKET, chainId: 31_337, protocolState: STATE.toLowerCase() })
  })

  test('behavior: a flag wins over a variable, a variable over the file, setting by setting', () => {
    const config = fileWith(
      'layers.yaml',
      'prefix: file-\nappId: file\nkafka:\n  brokers: [file:1]\n  replicationFactor: 5\n',
    )
    const { settings, sources } = readConfiguration(
      { config, kafka: 'flag:3', set: ['kafka.standbys=1'] },
      { ...environment, SEQUENCER_APP_ID: 'variable' },
    )
    expect(settings).toMatchObject({ prefix: 'file-', appId: 'variable' })
    expect(settings.kafka).toMatchObject({ brokers: ['flag:3'], replicationFactor: 5, standbys: 1 })
    expect(sources.get('prefix')).toBe(`${config}:1`)
    expect(sources.get('kafka.replicationFactor')).toBe(`${config}:5`)
    expect(sources.get('appId')).toBe('SEQUENCER_APP_ID')
    expect(sources.get('kafka.brokers')).toBe('--kafka')
    expect(sources.get('kafka.standbys')).toBe('--set kafka.standbys')
  })

  test('behavior: JSON is a file too, and a market may have rules of its own', () => {
    const config = fileWith('markets.json', JSON.stringify({ markets: [{ dataMarket: MARKET, votesMin: 3 }] }))
    const { SEQUENCER_MARKETS: _, ...others } = environment
    expect(readConfiguration({ config }, others).rules.markets[0]).toMatchObject({ votesMin: 3, epochsAhead: 2 })
  })

  test('behavior: roles come in their own order, once, and `all` means all', () => {
    const rolesOf = (roles: string) => readConfiguration({ roles }, environment).settings.roles
    expect(rolesOf('validate,intake,validate')).toEqual(['intake', 'validate'])
    expect(rolesOf('intake,all')).toEqual(ROLES)
  })

  test('behavior: the result cannot be changed', () => {
    const { settings } = readConfiguration({}, environment)
    expect(() => Object.assign(settings.kafka, { standbys: 2 })).toThrow(TypeError)
  })

  test('behavior: what Kubernetes puts into pods, and where the tests keep things, is not taken for a setting', () => {
    const links = {
      SEQUENCER_CACHE_DIR: '/cache',
      SEQUENCER_INTAKE_SERVICE_HOST: '10.0.0.1',
      SEQUENCER_INTAKE_PORT_9100_TCP_ADDR: '10.0.0.1',
    }
    expect(faultsOf({}, { ...environment, ...links })).toBe('')
  })
})

describe('faults', () => {
  test('error: all of them at once, each with its place', () => {
    const config = fileWith(
      'faults.yaml',
      'kafka:\n  brokers: [nowhere]\n  tls: { certFile: /c }\n  bootstrap: x\nclock:\n  depth: -1\n',
    )
    const text = faultsOf(
      { config, roles: 'intake,cook', set: ['nothing=1'] },
      { SEQUENCER_WORKER: '2', SEQUENCER_WORKERS: 'two' },
    )
    for (const line of [
      `kafka.brokers.0: not host:port  (${config}:2)`,
      `kafka.bootstrap: no such setting  (${config}:4)`,
      `clock.depth: Too small: expected number to be >=0  (${config}:6)`,
      'workers: expected number, received string  (SEQUENCER_WORKERS)',
      'no such setting; docs/configuration.md has them all  (SEQUENCER_WORKER)',
      'nothing: no such setting  (--set nothing=1)',
      '  is needed and not set, in the file by its name on the left, or as it says on the right:\n',
      '    registry.url         SEQUENCER_REGISTRY_URL or --registry\n',
      '    chain.chainId        SEQUENCER_CHAIN_CHAIN_ID\n',
      '    chain.protocolState  SEQUENCER_CHAIN_PROTOCOL_STATE\n',
      '    markets              SEQUENCER_MARKETS',
      'roles.1: not one of all, anchor-effects, clock,',
      '(--roles)',
    ])
      expect(text).toContain(line)
  })

  const cases: [string, Record<string, unknown>, Record<string, string>, RegExp][] = [
    ['a file that is not there', { config: join(directory, 'none.yaml') }, {}, /cannot be read \(ENOENT\)/],
    ['a file that is no YAML', { config: fileWith('bad.yaml', 'a: [1\nb: 2\n') }, {}, /bad\.yaml:\d/],
    ['a file without settings', { config: fileWith('list.yaml', '- 1\n') }, {}, /holds no settings/],
    ['a section that is a text', { config: fileWith('text.yaml', 'kafka: host\n') }, {}, /kafka: is a section/],
    ['half a login', { set: ['kafka.sasl.username=me'] }, {}, /kafka\.sasl\.mechanism: is needed to log in/],
    ['a password in a variable', {}, { SEQUENCER_KAFKA_SASL_PASSWORD: 'x' }, /set SEQUENCER_KAFKA_SASL_PASSWORD_FILE/],
    [
      'a secret file that is not there',
      { set: ['registry.passwordFile=/none', 'registry.username=me'] },
      {},
      /\/none cannot be read/,
    ],
    ['more copies in sync than there are', { set: ['kafka.replicationFactor=1'] }, {}, /2 of 1 copies cannot be/],
    ['a market twice', {}, { SEQUENCER_MARKETS: `${MARKET},${MARKET}` }, /a data market is there twice/],
    ['an address that is none', {}, { SEQUENCER_MARKETS: '0x12' }, /markets\.0\.dataMarket: not 0x and 40 hex digits/],
    ['--set without a value', { set: ['prefix'] }, {}, /not <setting>=<value>/],
  ]
  test.each(cases)('error: %s', (_, flags, variables, message) => {
    expect(faultsOf(flags, { ...environment, ...variables })).toMatch(message)
  })

  test('error: of a file that cannot be read nothing is said to be missing', () => {
    for (const config of [join(directory, 'none.yaml'), fileWith('worse.yaml', 'a: [1\nb: 2\n')])
      expect(faultsOf({ config }, {})).not.toContain('is needed')
  })

  test('error: what a command needs is named with how to give it', () => {
    expect(faultsOf({}, environment, () => ['chain.rpcUrls', 'prefix'])).toContain(
      'chain.rpcUrls: is needed  (not set: chain.rpcUrls in the file, SEQUENCER_CHAIN_RPC_URLS or --rpc)',
    )
  })

  test('error: what is missing is told beside other faults', () => {
    const text = faultsOf({ set: ['workers=-1'] }, environment, () => ['chain.rpcUrls'])
    expect(text).toMatch(/workers: Too small/)
    expect(text).toMatch(/chain\.rpcUrls: is needed/)
  })

  test('error: a secret that others can read is refused, with what to do', () => {
    const names = SETTINGS.flatMap(({ path }) => (/file(s)?$/i.test(path) ? [path] : []))
    const isPublic = ['kafka.tls.caFile', 'kafka.tls.certFile', 'registry.tls.caFile']
    const secrets = names.filter((path) => !isPublic.includes(path))
    expect(secrets.length).toBeGreaterThanOrEqual(9)
    for (const setting of secrets) {
      const secret = join(directory, `open-${setting}`)
      const text = setting === 'chain.rpcUrlsFile' ? 'http://node' : '1'.repeat(64)
      for (const mode of [0o644, 0o640, 0o604, 0o660]) {
        writeFileSync(secret, text)
        chmodSync(secret, mode)
        expect(faultsOf({ set: [`${setting}=${secret}`] }), setting).toContain(
          `${secret} can be read by others. Run: chmod 600 ${secret}`,
        )
      }
      chmodSync(secret, 0o600)
      expect(faultsOf({ set: [`${setting}=${secret}`] }), setting).not.toContain('can be read by others')
    }
    const certificate = fileWith('ca.pem', 'x')
    chmodSync(certificate, 0o644)
    expect(faultsOf({ set: [`kafka.tls.caFile=${certificate}`] })).toBe('')
  })

  test('error: a password that would be sent as it is is refused, unless that is asked for', () => {
    const password = fileWith('password', 'x')
    const login = (mechanism: string, ...more: string[]) => ({
      set: [
        `kafka.sasl.mechanism=${mechanism}`,
        'kafka.sasl.username=me',
        `kafka.sasl.passwordFile=${password}`,
        ...more,
      ],
    })
    expect(faultsOf(login('plain'))).toMatch(
      /kafka\.sasl\.mechanism: plain sends the password.*kafka\.sasl\.plainWithoutTls/,
    )
    for (const more of ['kafka.tls.enabled=true', `kafka.tls.caFile=${password}`, 'kafka.sasl.plainWithoutTls=true'])
      expect(faultsOf(login('plain', more))).toBe('')
    expect(faultsOf(login('scram-sha-512'))).toBe('')

    const registry = { set: ['registry.username=me', `registry.passwordFile=${password}`] }
    const refused = /registry\.url: the password would be sent as it is/
    expect(faultsOf(registry)).toMatch(refused)
    expect(faultsOf({ set: ['registry.url=http://me:secret@registry:8081'] })).toMatch(refused)
    expect(faultsOf({ set: [...registry.set, 'registry.loginWithoutTls=true'] })).toBe('')
    expect(faultsOf({ set: [...registry.set, 'registry.url=https://registry'] })).toBe('')
  })
})

describe('printing', () => {
  test('behavior: no login and no access key in any address, whatever the setting', async () => {
    const url = 'https://user:hunter2@host.example:8443/v2/0123456789abcdef0123?key=opensesame'
    const urls = SETTINGS.flatMap(({ path, type }) =>
      /url|kubo/i.test(path) && !/File$/.test(path) ? [{ path, type }] : [],
    )
    expect(urls.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['tracing.otlpUrl', 'registry.url', 'chain.rpcUrls']),
    )
    const given = urls.flatMap(({ path }) => ['--set', `${path}=${url}`])
    for (const json of [[], ['--json']]) {
      const { stdout, stderr, exitCode } = await runHere(['config', 'print', ...cluster, ...given, ...json])
      expect([stderr, exitCode]).toEqual(['', undefined])
      expect(stdout.match(/host\.example:8443/g)).toHaveLength(urls.length)
      for (const secret of ['user', 'hunter2', '0123456789abcdef', 'opensesame'])
        expect(stdout.replaceAll('kafka.sasl.username', '').replaceAll('registry.username', '')).not.toContain(secret)
    }
  })
})

describe('reference', () => {
  test('behavior: docs/configuration.md is current (else: sequencer config reference > docs/configuration.md)', () => {
    const path = fileURLToPath(new URL('../../../docs/configuration.md', import.meta.url))
    expect(readFileSync(path, 'utf8')).toBe(configurationReference())
  })
  test('behavior: every setting has words, a variable of its own, and each flag is one', () => {
    expect(SETTINGS.filter(({ help }) => help === '').map(({ path }) => path)).toEqual([])
    expect(new Set(SETTINGS.map(({ variable }) => variable)).size).toBe(SETTINGS.length)
    expect(Object.keys(FLAGS).filter((path) => !SETTINGS.some((setting) => setting.path === path))).toEqual([])
  })
})
