/** Faults of files that settings name, and of connections, that one setting alone cannot show. */
import { existsSync, readFileSync } from 'node:fs'
import { readSignerKey } from '../../connectors/evm/anchor-effects/anchor-signer.ts'
import { whyNotKept } from '../../connectors/secret-file.ts'
import { readSealSigner } from './keys/marker-key.ts'
import type { Address, SequencerSettings } from './schema.ts'
import type { Fault } from './sources.ts'
import { storageFaults } from './storage-settings.ts'

/** Without the place where the value came from, which is known where all settings are. */
export type SettingFault = Omit<Fault, 'source'>

export function keyFileFaults({ anchor, markers, intake, api }: SequencerSettings): SettingFault[] {
  const peerKeyFile = intake.peerKeyFile && existsSync(intake.peerKeyFile) ? intake.peerKeyFile : undefined // else it is made
  return [
    ...unreadable('anchor.signerKeyFile', anchor.signerKeyFile),
    ...unreadable('markers.signingKeyFile', markers.signingKeyFile),
    ...wrongMarkerKey(markers),
    ...anchor.formerSignerKeyFiles.flatMap((file) => unreadable('anchor.formerSignerKeyFiles', file)),
    ...unreadable('api.legacyTokenFile', api.legacyTokenFile),
    ...unreadable('intake.peerKeyFile', peerKeyFile),
  ]
}

/** Records that are sealed with another key than the newest would not count anywhere. */
function wrongMarkerKey({ signingKeyFile, publicKeys }: SequencerSettings['markers']): SettingFault[] {
  if (signingKeyFile === undefined || whyUnreadable(signingKeyFile, 'markers.signingKeyFile')) return []
  const { publicKey } = readSealSigner(signingKeyFile)
  if (publicKeys.length === 0 || publicKeys.at(-1) === publicKey) return []
  return [{ path: 'markers.publicKeys', message: `the last must be ${publicKey}, the key in ${signingKeyFile}` }]
}

export function connectionFaults({ kafka, registry, chain, storage }: Address): SettingFault[] {
  const { mechanism, username, passwordFile, plainWithoutTls } = kafka.sasl
  const { enabled, caFile, certFile, keyFile } = kafka.tls
  const faults: SettingFault[] = []
  const check = (holds: boolean, path: string, message: string): void => void (holds || faults.push({ path, message }))
  const login = mechanism ?? username ?? passwordFile
  for (const [name, value] of Object.entries({ mechanism, username, passwordFile }))
    check(login === undefined || value !== undefined, `kafka.sasl.${name}`, 'is needed to log in')
  const isEncrypted = enabled || caFile !== undefined || certFile !== undefined
  check(
    mechanism !== 'plain' || isEncrypted || plainWithoutTls,
    'kafka.sasl.mechanism',
    'plain sends the password as it is, and kafka.tls is off: turn that on, use scram-sha-512, or set kafka.sasl.plainWithoutTls',
  )
  const registryLogin = registry.username !== undefined || /^http:\/\/[^/]*@/i.test(registry.url)
  check(
    !registryLogin || !/^http:/i.test(registry.url) || registry.loginWithoutTls,
    'registry.url',
    'the password would be sent as it is: use https, or set registry.loginWithoutTls',
  )
  check(
    registry.tls.caFile === undefined || /^https:/i.test(registry.url),
    'registry.tls.caFile',
    'says who signed a certificate, and registry.url is not https',
  )
  check((certFile === undefined) === (keyFile === undefined), 'kafka.tls.keyFile', 'certificate and key go together')
  check(
    registry.username === undefined || registry.passwordFile !== undefined,
    'registry.passwordFile',
    'is needed to log in',
  )
  const nodes = chain.rpcUrls?.length
  check(
    nodes === undefined || chain.agreement <= nodes,
    'chain.agreement',
    `${chain.agreement} nodes must agree, and ${nodes} are named: add nodes to chain.rpcUrls, or lower it`,
  )
  check(chain.rpcUrls === undefined || !chain.rpcUrlsFile, 'chain.rpcUrlsFile', 'is given beside chain.rpcUrls')
  const files = {
    'kafka.tls.caFile': caFile,
    'kafka.tls.certFile': certFile,
    'kafka.tls.keyFile': keyFile,
    'kafka.sasl.passwordFile': passwordFile,
    'registry.tls.caFile': registry.tls.caFile,
    'registry.passwordFile': registry.passwordFile,
    'chain.rpcUrlsFile': chain.rpcUrlsFile,
  }
  faults.push(
    ...storageFaults(storage),
    ...storage.pinning.flatMap(({ tokenFile }) => unreadable('storage.pinning', tokenFile)),
  )
  return [...faults, ...Object.entries(files).flatMap(([path, file]) => unreadable(path, file))]
}

const unreadable = (path: string, file: string | undefined): SettingFault[] => {
  const message = file === undefined ? undefined : whyUnreadable(file, path)
  return message === undefined ? [] : [{ path, message }]
}

const PUBLIC_FILES = ['kafka.tls.caFile', 'kafka.tls.certFile', 'registry.tls.caFile']

/** Undefined when the file is there, has something in it and is kept as it must be. */
export function whyUnreadable(file: string, path: string): string | undefined {
  try {
    if (/^anchor\..*signerKeyFiles?$|^markers\.signingKeyFile$/i.test(path)) readSignerKey(file)
    else if (readFileSync(file, 'utf8').trim() === '') return `${file} is empty`
    return PUBLIC_FILES.includes(path) ? undefined : whyNotKept(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'SIGNER_KEY' ? message : `${file} cannot be read (${code})`
  }
}
