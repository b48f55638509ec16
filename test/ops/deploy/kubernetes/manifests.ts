/** The manifests as a cluster is given them: the example, rendered by kubectl with secrets made up. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { parseAllDocuments } from 'yaml'
import { ROLES } from '../../../../ops/base/roles.ts'

const MANIFESTS = fileURLToPath(new URL('../../../../ops/deploy/kubernetes', import.meta.url))
const KEDA = new URL('../../../vectors/kubernetes/keda.json', import.meta.url)

const SECRETS = {
  ...Object.fromEntries(['deploy', 'keda', ...ROLES].map((user) => [`kafka-${user}-password`, `password of ${user}`])),
  'kafka-keda-username': 'sequencer-keda',
  // test 1 of RFC 8032
  'marker-key': '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
  'kafka-ca.crt': 'a certificate',
  'rpc-urls': 'https://node-1.example.com/key\nhttps://node-2.example.com/key\n',
  'signer-key': 'ab'.repeat(32),
  'peer-key': 'CAES',
}

export interface Container {
  readonly image: string
  readonly args: readonly string[]
  readonly env: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } }
  }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
  readonly lifecycle?: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
  readonly [probe: `${string}Probe`]: { readonly httpGet: { readonly path: string; readonly port: string } }
}

export interface Pod {
  readonly metadata: { readonly labels: Readonly<Record<string, string>> }
  readonly spec: {
    readonly containers: readonly Container[]
    readonly terminationGracePeriodSeconds: number
    readonly securityContext: { readonly runAsUser: number; readonly fsGroup: number }
    readonly volumes: readonly {
      readonly name: string
      readonly configMap?: { readonly name: string }
      readonly secret?: { readonly secretName: string; readonly defaultMode?: number }
      readonly emptyDir?: object
    }[]
  }
}

export interface Trigger {
  readonly type: string
  readonly metadata: Readonly<Record<string, string>>
}

interface Selector {
  readonly matchLabels: Readonly<Record<string, string>>
}

/** What is read of any kind; a schema has the rest. */
export interface KubernetesObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly data?: Readonly<Record<string, string>>
  readonly spec: {
    readonly replicas?: number
    readonly selector: Selector & Readonly<Record<string, string>>
    readonly template: Pod
    readonly scaleTargetRef: { readonly name: string }
    readonly minReplicaCount: number
    readonly maxReplicaCount: number
    readonly triggers: readonly Trigger[]
    readonly ports: readonly { readonly targetPort: string }[]
    readonly externalTrafficPolicy?: string
    readonly secretTargetRef: readonly { readonly name: string; readonly key: string }[]
    readonly podSelector: Selector & { readonly matchExpressions?: readonly { readonly values: readonly string[] }[] }
    readonly [rule: `${string}gress`]: readonly { readonly ports: readonly { readonly port: number }[] }[] | undefined
  }
}

export function renderExample(kubectl: string, directory: string): readonly KubernetesObject[] {
  cpSync(MANIFESTS, directory, { recursive: true })
  const secrets = join(directory, 'example', 'secrets')
  mkdirSync(secrets, { recursive: true })
  for (const [name, text] of Object.entries(SECRETS)) writeFileSync(join(secrets, name), text)
  const rendered = execFileSync(kubectl, ['kustomize', join(directory, 'example')], { encoding: 'utf8' })
  return parseAllDocuments(rendered).map((document) => document.toJS() as KubernetesObject)
}

/** The files of a pod's volumes, under `root` instead of `/`. */
export function mountVolumes({ spec }: Pod, objects: readonly KubernetesObject[], root: string): void {
  for (const { name, mountPath } of spec.containers[0]!.volumeMounts) {
    const { configMap, secret, emptyDir } = spec.volumes.find((volume) => volume.name === name)!
    if (emptyDir) {
      mkdirSync(join(root, mountPath), { recursive: true })
      continue
    }
    const [kind, source] = configMap ? ['ConfigMap', configMap.name] : ['Secret', secret!.secretName]
    const { data = {} } = objects.find((object) => object.kind === kind && object.metadata.name === source)!
    for (const [key, text] of Object.entries(data)) {
      const file = join(root, mountPath, key)
      mkdirSync(dirname(file), { recursive: true })
      const content = kind === 'Secret' ? Buffer.from(text, 'base64').toString() : text
      writeFileSync(file, content.replaceAll(/\/run\/secrets\//g, `${root}/run/secrets/`), { mode: 0o600 })
    }
  }
}

/** Says what a schema has against an object: Kubernetes' own of `folder`, KEDA's of test/vectors. */
export function createSchemaCheck(folder: string): (object: KubernetesObject) => string {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  ajv.addSchema(JSON.parse(readFileSync(join(folder, '_definitions.json'), 'utf8')))
  const keda = JSON.parse(readFileSync(KEDA, 'utf8')) as { readonly schemas: Readonly<Record<string, object>> }
  const schemaOf = ({ apiVersion, kind }: KubernetesObject): object => {
    if (apiVersion.startsWith('keda.sh/')) return closed(keda.schemas[kind]) as object
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
    const file = [kind.toLowerCase(), ...(group ? [group.split('.')[0]] : []), version].join('-')
    const { $id: _, ...schema } = JSON.parse(readFileSync(join(folder, `${file}.json`), 'utf8')) as { $id?: string }
    return { ...schema, $id: `https://kubernetes.io/api/${file}.json` }
  }
  const validators = new Map<string, ReturnType<typeof ajv.compile>>()
  return (object) => {
    const key = `${object.apiVersion} ${object.kind}`
    const validate = validators.get(key) ?? ajv.compile(schemaOf(object))
    validators.set(key, validate)
    return validate(object) ? '' : ajv.errorsText(validate.errors)
  }
}

/** As an API server reads the schema of a custom resource: a field that it does not name is none. `metadata` is not described. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  return 'properties' in node && !('additionalProperties' in node) ? { ...inner, additionalProperties: false } : inner
}
