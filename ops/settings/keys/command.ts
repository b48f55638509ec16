/** `sequencer keys`: the files that hold the keys of a sequencer, made when they are not there. */

import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { createSigner, readSignerKey } from '../../../connectors/evm/anchor-effects/anchor-signer.ts'
import { loadIdentity } from '../../../connectors/libp2p/identity.ts'
import { AS_JSON } from '../../base/options.ts'
import { answer } from '../../base/output.ts'
import { ensureMarkerKey } from './marker-key.ts'

const OWNER_ONLY = 0o600
const OWNERS_DIRECTORY = 0o700
/** An address is the same on every chain. */
const ANY_CHAIN = 1
interface Options {
  readonly json?: boolean
}

export function keysCommand(): Command {
  const command = new Command('keys')
  command
    .command('signer')
    .description('The account that sends transactions (anchor.signerKeyFile): prints its address')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .option('--json', AS_JSON)
    .action((file: string, { json }: Options) => {
      mkdirSync(dirname(file), { recursive: true, mode: OWNERS_DIRECTORY })
      if (!existsSync(file))
        writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: OWNER_ONLY, flag: 'wx' })
      const { address } = createSigner(readSignerKey(file), ANY_CHAIN)
      answer(json, { file, address }, () => [address])
    })
  command
    .command('peer')
    .description('The libp2p host of the intakes (intake.peerKeyFile): prints the peer id that collectors dial')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .option('--json', AS_JSON)
    .action(async (file: string, { json }: Options) => {
      mkdirSync(dirname(file), { recursive: true, mode: OWNERS_DIRECTORY })
      const peerId = (await loadIdentity(file)).publicKey.toString()
      answer(json, { file, peerId }, () => [peerId])
    })
  command
    .command('marker')
    .description('The key that signs markers (markers.signingKeyFile): prints its public key, for markers.publicKeys')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .option('--json', AS_JSON)
    .action((file: string, { json }: Options) => {
      const { publicKey } = ensureMarkerKey(file)
      answer(json, { file, publicKey }, () => [publicKey])
    })
  return command
}
