/**
 * docker-compose.kafka.yml, without an engine: it is YAML that refers to nothing that is not there, every command line in it is
 * one that the program takes, and every variable is a setting with a value that is right.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ROLES } from '../../../../ops/base/roles.ts'
import { probesPortBeside } from '../../../../ops/run/probes.ts'
import { needOf } from '../../../../ops/run/run.ts'
import { SETTINGS } from '../../../../ops/settings/list.ts'
import { readConfiguration } from '../../../../ops/settings/parse.ts'
import { accepts } from '../../accepts.ts'

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url))

interface Service {
  readonly image: string
  readonly build?: { readonly context: string; readonly dockerfile: string }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>> | readonly string[]
  readonly ports?: readonly string[]
  readonly volumes?: readonly string[]
  readonly healthcheck?: object
  readonly restart?: string
}

const file = parse(readFileSync(join(ROOT, 'docker-compose.kafka.yml'), 'utf8'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
}
const services = Object.entries(file.services)
const ours = services.filter(([, { image }]) => image === 'powerloom-snapshot-sequencer')
const withSettings = ours.filter(([, { environment }]) => environment)

/** Paths in containers become files that are there, so that everything else is checked. */
function settingsOf({ environment = {} }: Service): Record<string, string> {
  const isSecret = (name: string): boolean => name.endsWith('_FILE')
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !isSecret(name)))
}

const PROBES = probesPortBeside(9090)

describe('references', () => {
  test('default: every service that is waited for, volume and mounted file is there', () => {
    for (const [name, { depends_on: needs = {}, volumes = [] }] of services) {
      for (const needed of Array.isArray(needs) ? needs : Object.keys(needs))
        expect(file.services, name).toHaveProperty(needed)
      for (const source of volumes.map((volume) => volume.split(':')[0]!))
        if (source.startsWith('.')) expect(existsSync(join(ROOT, source)), `${name}: ${source}`).toBe(true)
        else expect(file.volumes, name).toHaveProperty(source)
    }
  })

  test('behavior: images have a version, services a health check and a restart rule', () => {
    for (const [name, { image, healthcheck, restart }] of services) {
      if (image !== 'powerloom-snapshot-sequencer') expect(image, name).toMatch(/:v?\d/)
      expect(healthcheck, name).toBeDefined()
      expect(restart, name).toBeDefined()
    }
  })

  test('behavior: who is waited for until healthy has a health check that is on', () => {
    for (const [name, { depends_on: needs = {} }] of services)
      for (const [needed, { condition }] of Object.entries(Array.isArray(needs) ? {} : (needs as object)))
        if (condition === 'service_healthy')
          expect(file.services[needed]!.healthcheck, name).not.toHaveProperty('disable')
  })

  test('behavior: the image is built from files that are there', () => {
    for (const [, { build }] of ours) expect(existsSync(join(ROOT, build!.dockerfile))).toBe(true)
    const dockerfile = readFileSync(join(ROOT, 'ops/deploy/docker/Dockerfile'), 'utf8')
    for (const [, path] of dockerfile.matchAll(/^COPY (?:--from=build \/app\/)?([\w./-]+)/gm))
      if (path !== 'dist' && path !== '.') expect(existsSync(join(ROOT, path!)), path).toBe(true)
  })

  test('behavior: every role has a service, and Prometheus asks each', () => {
    const roles = withSettings.flatMap(([, { environment }]) => environment!.SEQUENCER_ROLES ?? [])
    expect(roles.sort()).toEqual([...ROLES].sort())
    const { scrape_configs } = parse(readFileSync(join(ROOT, 'ops/watch/prometheus/prometheus.yml'), 'utf8'))
    expect(scrape_configs[0].static_configs[0].targets.sort()).toEqual(ROLES.map((role) => `${role}:${PROBES}`).sort())
  })

  test('behavior: health is asked of the listener that clients cannot take away, and that one is not published', () => {
    for (const [name, { healthcheck }] of withSettings)
      if (!JSON.stringify(healthcheck).includes('disable'))
        expect(JSON.stringify(healthcheck), name).toContain(`127.0.0.1:${PROBES}/readyz`)
    expect(JSON.stringify(services.map(([, service]) => service))).not.toMatch(new RegExp(`"[\\d.:]*:${PROBES}"`))
  })

  test('behavior: nothing but the intake is reached from elsewhere, and Grafana has no account', () => {
    const published = services.flatMap(([name, { ports = [] }]) => ports.map((port) => `${name} ${port}`))
    expect(published.filter((port) => !port.includes(' 127.0.0.1:'))).toEqual(['intake 9100:9100'])
    expect(file.services.grafana!.environment).toMatchObject({
      GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: 'true',
      GF_AUTH_DISABLE_LOGIN_FORM: 'true',
      GF_AUTH_BASIC_ENABLED: 'false',
      GF_AUTH_ANONYMOUS_ORG_ROLE: 'Viewer',
    })
  })

  test('behavior: Prometheus has its rules, and Grafana its dashboards, where they look for them', () => {
    const inContainer = (service: string): Record<string, string> =>
      Object.fromEntries(file.services[service]!.volumes!.map((volume) => volume.split(':').slice(0, 2).reverse()))
    const { rule_files } = parse(readFileSync(join(ROOT, 'ops/watch/prometheus/prometheus.yml'), 'utf8'))
    for (const name of rule_files) expect(inContainer('prometheus')).toHaveProperty([`/etc/prometheus/${name}`])
    const provisioning = inContainer('grafana')['/etc/grafana/provisioning']!
    const { providers } = parse(readFileSync(join(ROOT, provisioning, 'dashboards/sequencer.yml'), 'utf8'))
    expect(inContainer('grafana')[providers[0].options.path]).toBe('./ops/watch/grafana/dashboards')
  })
})

describe('the program', () => {
  test.each(ours)('behavior: %s has a command line that is one of ours', async (_, { command }) => {
    const given = command!.map((word) => word.replace(/\$\{\w+:-([^}]*)\}/, '$1'))
    await expect(accepts(given)).resolves.toBeUndefined()
    await expect(accepts([...given, '--no-such-option'])).rejects.toThrow()
  })

  test.each(withSettings)('behavior: %s has variables that are settings, with values that are right', (_, service) => {
    expect(() => readConfiguration({}, settingsOf(service))).not.toThrow()
    const variables = SETTINGS.map(({ variable }) => variable)
    expect(Object.keys(service.environment!).filter((name) => !variables.includes(name))).toEqual([])
  })

  test.each(withSettings)('behavior: %s has all that its roles need', (_, service) => {
    const { environment } = service
    if (!environment!.SEQUENCER_ROLES) return
    const given = Object.keys(environment!).filter((name) => name.endsWith('_FILE'))
    let missing = ''
    try {
      readConfiguration({}, settingsOf(service), needOf)
    } catch (error) {
      missing = (error as Error).message
    }
    for (const name of given) expect(missing).toContain(name)
    expect(missing.match(/SEQUENCER_\w+/g) ?? []).toHaveLength(given.length)
  })
})
