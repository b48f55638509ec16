import { existsSync } from 'node:fs'
import { keysIn } from '../../base/shown-url.ts'
import { rpcUrlsOf, secretIn } from '../../ground/cluster/connect.ts'
import type { SequencerSettings } from '../../settings/schema.ts'

/** The content of the files that settings name as secret, and the parts of addresses that may be. */
export function secretsOf({
  kafka,
  registry,
  chain,
  anchor,
  intake,
  api,
  markers,
  storage,
  tracing,
}: SequencerSettings): readonly string[] {
  const { signerKeyFile, formerSignerKeyFiles } = anchor
  const files = [
    kafka.sasl.passwordFile,
    registry.passwordFile,
    signerKeyFile,
    ...formerSignerKeyFiles,
    intake.peerKeyFile,
    markers.signingKeyFile,
    api.legacyTokenFile,
    ...storage.pinning.map(({ tokenFile }) => tokenFile),
  ]
  const held = files.flatMap((file) => (file && existsSync(file) ? [secretIn(file)] : []))
  const urls = chain.rpcUrlsFile && !existsSync(chain.rpcUrlsFile) ? [] : rpcUrlsOf(chain)
  const others = [
    registry.url,
    ...storage.kubo,
    ...storage.pinning.map(({ url }) => url),
    ...(tracing.otlpUrl === undefined ? [] : [tracing.otlpUrl]),
  ]
  return [...held, ...[...urls, ...others].flatMap(keysIn)]
}
