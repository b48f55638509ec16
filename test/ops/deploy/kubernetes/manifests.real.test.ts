/**
 * The manifests without a cluster: kubectl renders them, every object fits its schema, and what they say of the program is
 * true: command lines, variables, settings, files, ports, paths, groups, topics, partitions.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isKept } from '../../../../connectors/secret-file.ts'
import { createHealth } from '../../../../ops/base/health.ts'
import { isStage, ROLES, type Role, SEALING } from '../../../../ops/base/roles.ts'
import { CLOSE_MS_MAX } from '../../../../ops/run/command.ts'
import { probesPortBeside, startProbes } from '../../../../ops/run/probes.ts'
import { needOf } from '../../../../ops/run/run.ts'
import type { Wiring } from '../../../../ops/run/wiring.ts'
import { type Configuration, readConfiguration } from '../../../../ops/settings/parse.ts'
import { createMetrics } from '../../../../ops/watch/metrics/create.ts'
import { METRICS } from '../../../../ops/watch/metrics/table/index.ts'
import { kubectl, kubernetesSchemas } from '../../../real/kubernetes.ts'
import { createWorld } from '../../../topology/world.ts'
import { accepts } from '../../accepts.ts'
import { createSchemaCheck, type KubernetesObject, mountVolumes, renderExample } from './manifests.ts'

const COMPONENT = 'app.kubernetes.io/component'
const keda = JSON.parse(readFileSync(new URL('../../../vectors/kubernetes/keda.json', import.meta.url), 'utf8')) as {
  readonly triggers: Readonly<Record<string, Readonly<Record<string, 'required' | 'optional'>>>>
}

let directory: string
let objects: readonly KubernetesObject[]
let faultsOf: (object: KubernetesObject) => string

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sequencer-kubernetes-'))
  const [program, schemas] = [await kubectl(), await kubernetesSchemas()]
  objects = renderExample(program, join(directory, 'manifests'))
  faultsOf = createSchemaCheck(schemas)
}, 900_000)
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const ofKind = (kind: string): readonly KubernetesObject[] => objects.filter((object) => object.kind === kind)
const named = (kind: string, name: string): KubernetesObject => {
  const found = ofKind(kind).find(({ metadata }) => metadata.name === name)
  if (!found) throw new Error(`there is no ${kind} ${name}`)
  return found
}
const podOf = (role: Role) => named('Deployment', role).spec.template
const containerOf = (role: Role) => podOf(role).spec.containers[0]!

/** What a pod of the role reads, its volumes mounted under a directory. */
function configurationOf(role: Role): Configuration {
  const root = join(directory, role)
  const pod = podOf(role)
  mountVolumes(pod, objects, root)
  const resolve = (path: string): string => (path === 'metadata.name' ? `${role}-1` : pod.metadata.labels[COMPONENT]!)
  const environment: Record<string, string> = {}
  for (const { name, value, valueFrom } of containerOf(role).env)
    environment[name] =
      value?.replace(/^\//, `${root}/`).replace(/\$\((\w+)\)/g, (_, before: string) => environment[before]!) ??
      resolve(valueFrom!.fieldRef.fieldPath)
  return readConfiguration({}, environment, needOf)
}

describe('schemas', () => {
  test('default: every object is one that Kubernetes or KEDA takes', () => {
    const faults = objects.map((object) => `${object.kind} ${object.metadata.name}: ${faultsOf(object)}`)
    expect(faults.filter((text) => !text.endsWith(': '))).toEqual([])
    expect(objects.length).toBeGreaterThan(40)
  })

  test.each([
    ['Deployment', 'validate', { strategyy: {} }],
    ['ScaledObject', 'validate', { coolDownPeriod: 1 }],
    ['ScaledObject', 'validate', { minReplicaCount: '2' }],
    ['NetworkPolicy', 'log', { podSelectors: {} }],
  ])('error: a field of a %s that is wrong is found (%s, %j)', (kind, name, field) => {
    const object = named(kind, name)
    expect(faultsOf({ ...object, spec: { ...object.spec, ...field } } as KubernetesObject)).not.toBe('')
  })

  test('behavior: triggers have the parameters that KEDA asks for, and no others', () => {
    for (const { metadata, spec } of ofKind('ScaledObject'))
      for (const trigger of spec.triggers) {
        const known = keda.triggers[trigger.type]!
        const given = Object.keys(trigger.metadata)
        expect(
          given.filter((name) => !(name in known)),
          metadata.name,
        ).toEqual([])
        const needed = Object.keys(known).filter((name) => known[name] === 'required')
        expect(given, metadata.name).toEqual(expect.arrayContaining(needed))
      }
  })
})

describe('roles', () => {
  test('default: each has a Deployment of its name, and a budget for disruptions', () => {
    for (const kind of ['Deployment', 'PodDisruptionBudget'])
      expect(
        ofKind(kind)
          .map(({ metadata }) => metadata.name)
          .sort(),
        kind,
      ).toEqual([...ROLES].sort())
  })

  test.each(ROLES)(
    'behavior: %s has a command line, variables, settings and files that the program takes',
    async (role) => {
      await expect(accepts(containerOf(role).args)).resolves.toBeUndefined()
      await expect(accepts([...containerOf(role).args, '--no-such-option'])).rejects.toThrow()
      const { settings } = configurationOf(role)
      expect(settings).toMatchObject({ roles: [role], instanceId: `${role}-1`, ops: { host: '0.0.0.0' } })
    },
  )

  test.each(ROLES)(
    'behavior: the pods of %s are found by what selects them, and its probes by the server',
    async (role) => {
      const { selector, template } = named('Deployment', role).spec
      expect(template.metadata.labels).toMatchObject(selector.matchLabels)
      expect(named('PodDisruptionBudget', role).spec.selector).toEqual(selector)
      const ports = Object.fromEntries(containerOf(role).ports!.map(({ name, containerPort }) => [name, containerPort]))
      const { ops, intake } = configurationOf(role).settings
      expect([ports.ops, ports.probes]).toEqual([ops.port, probesPortBeside(ops.port)])
      if (role === 'intake') expect(intake.listen).toEqual([`/ip4/0.0.0.0/tcp/${ports.libp2p}`])
      const health = createHealth([role], () => 0)
      health.set(role, true)
      const wiring = {
        metrics: createMetrics({ version: '0', roles: [], markets: [] }),
        health,
        config: { roles: [] as readonly Role[] },
      } as Wiring
      const server = await startProbes({ host: '127.0.0.1', port: 0 }, wiring)
      for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
        const { path, port } = containerOf(role)[probe]!.httpGet
        expect(port).toBe('probes')
        expect((await fetch(`${server.url}${path}`)).status).toBe(200)
      }
      await server.close()
    },
  )

  test.each(ROLES)('behavior: %s has more time to end than it may take', (role) => {
    const waits = Number(containerOf(role).lifecycle?.preStop.exec.command[1] ?? 0)
    const { terminationGracePeriodSeconds } = podOf(role).spec
    expect(terminationGracePeriodSeconds).toBeGreaterThan(CLOSE_MS_MAX / 1_000 + waits)
  })

  test.each(ROLES)('behavior: %s takes its secrets with the mode that they are mounted with', (role) => {
    const { volumes, securityContext } = podOf(role).spec
    const secrets = volumes.flatMap(({ secret }) => (secret ? [secret] : []))
    expect(secrets.length).toBeGreaterThan(0)
    // the kubelet mounts them as root's, with fsGroup as their group
    expect(securityContext.fsGroup).toBeGreaterThan(0)
    for (const { secretName, defaultMode } of secrets)
      expect(isKept({ mode: defaultMode!, uid: 0 }, securityContext.runAsUser), secretName).toBe(true)
  })

  test('behavior: keys are where they are needed and nowhere else', () => {
    const rolesWith = (name: string) =>
      ROLES.filter((role) => podOf(role).spec.volumes.some((one) => one.name === name))
    expect(rolesWith('signer')).toEqual(['anchor-effects'])
    expect(rolesWith('peer')).toEqual(['intake'])
    expect(rolesWith('marker').sort()).toEqual([...SEALING].sort())
    expect(rolesWith('chain').sort()).toEqual(['anchor-effects', 'clock'])
  })
})

describe('logins', () => {
  test('default: each role has one of its own, with its own password and the rights of that role alone', () => {
    const secretOf = (role: Role) => podOf(role).spec.volumes.find(({ name }) => name === 'kafka')!.secret!.secretName
    expect(new Set(ROLES.map(secretOf)).size).toBe(ROLES.length)
    for (const role of ROLES) {
      const { acls, kafka } = configurationOf(role).settings
      expect(acls.principals[role]).toBe(`User:${kafka.sasl.username}`)
      expect(kafka.sasl.username).toBe(`sequencer-${role}`)
      expect(readFileSync(kafka.sasl.passwordFile!, 'utf8')).toBe(`password of ${role}`)
    }
  })

  test('behavior: KEDA and the job have logins of their own too', () => {
    const used = ROLES.map((role) => podOf(role).spec.volumes.find(({ name }) => name === 'kafka')!.secret!.secretName)
    const others = [
      ...new Set(named('TriggerAuthentication', 'kafka').spec.secretTargetRef.map(({ name }) => name)),
      ...named('Job', 'deploy').spec.template.spec.volumes.flatMap(({ secret }) => secret?.secretName ?? []),
    ]
    expect(others).toHaveLength(2)
    for (const name of others) expect(used).not.toContain(name)
  })
})

describe('scaling', () => {
  const stages = createWorld().topology.stages

  test('default: each stage with several tasks is scaled by the lag of its group, up to the partitions of its topic', () => {
    for (const { metadata, spec } of ofKind('ScaledObject')) {
      const { settings } = configurationOf(metadata.name as Role)
      const stage = stages.find(({ name }) => name === spec.scaleTargetRef.name)!
      const lag = spec.triggers.find(({ type }) => type === 'kafka')!.metadata
      expect(metadata.name).toBe(stage.name)
      expect(lag.consumerGroup).toBe(`${settings.appId}-${stage.name}`)
      expect([lag.topic]).toEqual(stage.sources.map(({ name }) => `${settings.prefix}${name}`))
      const { finalizations, ...partitions } = settings.partitions
      const of: Readonly<Record<string, number>> = { ...partitions, finalizations, tallies: finalizations }
      expect(spec.maxReplicaCount).toBe(of[lag.topic!])
      expect(spec.minReplicaCount).toBeGreaterThanOrEqual(2)
    }
  })

  test('behavior: who is scaled has no number of replicas, and who is not has two', () => {
    const scaled = [...ofKind('ScaledObject'), ...ofKind('HorizontalPodAutoscaler')].map(
      ({ spec }) => spec.scaleTargetRef.name,
    )
    expect(scaled.sort()).toEqual(['admit', 'batch', 'consensus', 'intake', 'ledger', 'settle', 'validate'])
    for (const role of ROLES)
      expect(named('Deployment', role).spec.replicas, role).toBe(scaled.includes(role) ? undefined : 2)
    const oneTask = ROLES.filter((role) => isStage(role) && !scaled.includes(role))
    expect(oneTask.sort()).toEqual(['anchor', 'tick-fanout'])
  })

  test('behavior: KEDA asks the brokers as the program does, and for metrics that there are', async () => {
    const { kafka } = configurationOf('validate').settings
    const known = Object.values(METRICS).map(({ name }): string => name)
    for (const { metadata, query } of ofKind('ScaledObject').flatMap(({ spec: { triggers } }) =>
      triggers.map((trigger) => ({ ...trigger, query: trigger.metadata.query })),
    )) {
      if (metadata.bootstrapServers)
        expect(metadata).toMatchObject({
          bootstrapServers: kafka.brokers.join(','),
          sasl: kafka.sasl.mechanism!.replace('scram-sha-', 'scram_sha'),
          tls: kafka.tls.caFile ? 'enable' : 'disable',
        })
      expect(known).toEqual(expect.arrayContaining(query?.match(/\b(seq|streams)_\w+/g) ?? []))
    }
  })
})

describe('the surroundings', () => {
  test('behavior: services lead to ports of pods; the intake sees the addresses of its clients', () => {
    for (const { metadata, spec } of ofKind('Service')) {
      const pod = podOf(metadata.name as Role)
      expect(pod.metadata.labels).toMatchObject(spec.selector)
      const names = pod.spec.containers[0]!.ports!.map(({ name }) => name)
      for (const { targetPort } of spec.ports) expect(names).toContain(targetPort)
    }
    expect(named('Service', 'intake').spec.externalTrafficPolicy).toBe('Local')
  })

  test('behavior: what KEDA reads of a secret is there', () => {
    for (const { name, key } of named('TriggerAuthentication', 'kafka').spec.secretTargetRef)
      expect(named('Secret', name).data).toHaveProperty([key])
  })

  test('behavior: each role may reach what its settings name, and nothing else', () => {
    const { settings } = configurationOf('anchor-effects')
    const portOf = (url: string): number => Number(new URL(url).port || 443)
    const log = [...settings.kafka.brokers.map((broker) => Number(broker.split(':')[1])), portOf(settings.registry.url)]
    const wanted = (role: Role): readonly number[] => [
      ...[53, 53, ...log],
      ...(['clock', 'anchor-effects'].includes(role) ? [443] : []),
      ...(role === 'anchor-effects' ? settings.storage.kubo.map(portOf) : []),
    ]
    for (const role of ROLES) {
      expect(reach(role, 'egress'), role).toEqual([...wanted(role)].sort())
      const served = [
        probesPortBeside(settings.ops.port),
        ...(role === 'api' ? [settings.ops.port] : role === 'intake' ? [9100] : []),
      ]
      expect(reach(role, 'ingress'), role).toEqual(served.sort())
    }
  })

  function reach(role: Role, direction: 'ingress' | 'egress'): readonly number[] {
    const { labels } = podOf(role).metadata
    const policies = ofKind('NetworkPolicy').filter(({ spec: { podSelector } }) => {
      const { matchLabels, matchExpressions = [] } = podSelector
      const isOf = Object.entries(matchLabels).every(([label, value]) => labels[label] === value)
      return isOf && matchExpressions.every(({ values }) => values.includes(role))
    })
    expect(policies.map(({ metadata }) => metadata.name)).toContain('deny-by-default')
    return policies
      .flatMap(({ spec }) => (spec[direction] ?? []).flatMap(({ ports }) => ports.map(({ port }) => port)))
      .sort()
  }

  test('behavior: the job deploys by the same image and settings', async () => {
    const { template } = named('Job', 'deploy').spec
    const [container] = template.spec.containers
    await expect(accepts(container!.args)).resolves.toBeUndefined()
    expect(container!.image).toBe(containerOf('api').image)
    const root = join(directory, 'deploy')
    mountVolumes(template, objects, root)
    const login = Object.fromEntries(
      template.spec.containers[0]!.env.flatMap(({ name, value }) => (name.includes('SASL') ? [[name, value!]] : [])),
    )
    expect(() => readConfiguration({ config: join(root, 'etc/sequencer/sequencer.yaml') }, login)).not.toThrow()
  })
})
