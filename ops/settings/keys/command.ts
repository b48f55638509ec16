/** `sequencer keys`: the files that hold the keys of a sequencer, made when they are not there. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { Command } from 'commander'
import { createSigner, readSignerKey } from '../../../connectors/evm/anchor-effects/anchor-signer.ts'
import { loadIdentity } from '../../../connectors/libp2p/identity.ts'
import { stdout } from '../../base/output.ts'
import { ensureMarkerKey } from './marker-key.ts'

const OWNER_ONLY = 0o600
const OWNERS_DIRECTORY = 0o700
/** An address is the same on every chain. */
const ANY_CHAIN = 1

export function keysCommand(): Command {
  const command = new Command('keys')
  command
    .command('signer')
    .description('The account that sends transactions (anchor.signerKeyFile): prints its address')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .action((file: string) => {
      mkdirSync(dirname(file), { recursive: true, mode: OWNERS_DIRECTORY })
      if (!existsSync(file))
        writeFileSync(file, `${randomBytes(32).toString('hex')}\n`, { mode: OWNER_ONLY, flag: 'wx' })
      stdout.print(createSigner(readSignerKey(file), ANY_CHAIN).address)
    })
  command
    .command('peer')
    .description('The libp2p host of the intakes (intake.peerKeyFile): prints the peer id that collectors dial')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .action(async (file: string) => {
      mkdirSync(dirname(file), { recursive: true, mode: OWNERS_DIRECTORY })
      const { publicKey } = await loadIdentity(file)
      stdout.print(publicKey.toString())
    })
  command
    .command('marker')
    .description('The key that signs markers (markers.signingKeyFile): prints its public key, for markers.publicKeys')
    .argument('<file>', 'made, with its folder and mode 0600, when it does not exist; never overwritten')
    .action((file: string) => stdout.print(ensureMarkerKey(file).publicKey))
  return command
}
