import { existsSync } from 'node:fs'
import { rpcUrlsOf, secretIn } from '../cluster/connect.ts'
import type { SequencerSettings } from '../config/schema.ts'

/** What the files hold that settings name as secret, and the parts of addresses that may be. */
export function secretsOf({
  kafka,
  registry,
  chain,
  anchor,
  intake,
  api,
  markers,
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
  ]
  const held = files.flatMap((file) => (file && existsSync(file) ? [secretIn(file)] : []))
  const urls = chain.rpcUrlsFile && !existsSync(chain.rpcUrlsFile) ? [] : rpcUrlsOf(chain)
  return [...held, ...urls.flatMap(keysIn)]
}

/** A shorter part of a path is a name, of a chain for instance. */
const KEY_LENGTH_MIN = 16

/** Where providers put access keys: login, parts of the path, query. Host and port stay, since an operator needs them. */
function keysIn(url: string): string[] {
  const { username, password, pathname, searchParams } = new URL(url)
  const parts = pathname.split('/').filter((part) => part.length >= KEY_LENGTH_MIN)
  return [username, password, ...parts, ...searchParams.values()].map(decodeURIComponent)
}
