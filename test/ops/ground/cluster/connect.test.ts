import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { kafkaLogOptions, quotaWarning, rpcUrlsOf } from '../../../../ops/ground/cluster/connect.ts'
import { openRegistry } from '../../../../ops/ground/cluster/open.ts'
import { targetOf } from '../../../../ops/ground/open-log.ts'
import { readAddress } from '../../../../ops/settings/parse.ts'
import { newFolder } from '../../../folder.ts'

const directory = newFolder()
const fileWith = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}
const cluster = { kafka: 'one:9092', registry: 'http://registry:8081' }
const address = (...set: string[]) => readAddress({ ...cluster, set }, {})
const options = (...set: string[]) => kafkaLogOptions(address(...set).kafka, 'client')

describe('connections', () => {
  test('default: no encryption, no login, the newest transactions', () => {
    expect(options()).toMatchObject({ brokers: ['one:9092'], clientId: 'client', ssl: false })
    expect(options()).not.toHaveProperty('sasl')
    expect(options()).not.toHaveProperty('transactionsVersion')
  })

  test('behavior: files of TLS are read, and switch it on', () => {
    const [ca, cert, key] = ['ca', 'cert', 'key'].map((name) => fileWith(`${name}.pem`, `PEM ${name}`))
    expect(options('kafka.tls.enabled=true').ssl).toBe(true)
    expect(options(`kafka.tls.caFile=${ca}`).ssl).toEqual({ ca: 'PEM ca' })
    const all = options(`kafka.tls.caFile=${ca}`, `kafka.tls.certFile=${cert}`, `kafka.tls.keyFile=${key}`)
    expect(all.ssl).toEqual({ ca: 'PEM ca', cert: 'PEM cert', key: 'PEM key' })
  })

  test('behavior: a login has its password from a file, without the line end', () => {
    const passwordFile = fileWith('password', 'secret\n')
    const login = ['mechanism=scram-sha-512', 'username=me', `passwordFile=${passwordFile}`]
    expect(options(...login.map((one) => `kafka.sasl.${one}`)).sasl).toEqual({
      mechanism: 'scram-sha-512',
      username: 'me',
      password: 'secret',
    })
    const registryLogin = [
      'registry.username=me',
      `registry.passwordFile=${passwordFile}`,
      'registry.loginWithoutTls=true',
    ]
    const registry = openRegistry(address(...registryLogin))
    expect(registry.url).toBe('http://registry:8081')
  })

  test('behavior: transactions of version 1 by choice', () => {
    expect(options('kafka.transactions=v1').transactionsVersion).toBe(1)
  })

  test('behavior: nodes of the chain from a file, one a line', () => {
    const file = fileWith('nodes', 'http://one/key\n\n  http://two/key\n')
    expect(rpcUrlsOf(address(`chain.rpcUrlsFile=${file}`).chain)).toEqual(['http://one/key', 'http://two/key'])
  })
})

describe('where a command reads', () => {
  test('default: the directory of dev, when nothing is named', () => {
    expect(targetOf({}, {})).toEqual({ kind: 'directory', dataDir: '.data/dev' })
    expect(targetOf({ dataDir: 'd' }, { SEQUENCER_KAFKA_BROKERS: 'one:9092' })).toEqual({
      kind: 'directory',
      dataDir: 'd',
    })
  })

  test('behavior: a cluster that flags or variables name', () => {
    const variables = { SEQUENCER_KAFKA_BROKERS: 'one:9092', SEQUENCER_REGISTRY_URL: 'http://registry:8081' }
    for (const target of [targetOf(cluster, {}), targetOf({}, variables)])
      expect(target).toMatchObject({
        kind: 'cluster',
        address: { appId: 'sequencer', kafka: { brokers: ['one:9092'] } },
      })
  })

  test('behavior: settings that reading does not need may be in the file, and may be wrong there', () => {
    const config = fileWith('run.yaml', 'markets: nothing\nchain: { chainId: x }\nappId: other\n')
    expect(targetOf({ ...cluster, config }, {})).toMatchObject({ address: { appId: 'other' } })
  })

  test('error: both, or half of a cluster', () => {
    expect(() => targetOf({ dataDir: 'd', kafka: 'one:9092' }, {})).toThrow(/both named/)
    expect(() => targetOf({ kafka: 'one:9092' }, {})).toThrow(/registry\.url: is needed/)
  })
})

test('behavior: a quota below the need is told once, and again after ten minutes', () => {
  const said: string[] = []
  let now = 0
  const told = quotaWarning(
    'app-a',
    (text) => said.push(text),
    () => now,
  )
  const throttled = { broker: 'b:9092', request: 'Produce', ms: 812 }
  told(throttled)
  told(throttled)
  expect(said).toEqual([
    expect.stringMatching(/throttle the client app-a: 812 ms by b:9092 at Produce.*producer_byte_rate/),
  ])
  now = 600_000
  told(throttled)
  expect(said).toHaveLength(2)
})
