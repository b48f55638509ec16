import { link, readFile, unlink, writeFile } from 'node:fs/promises'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { PrivateKey } from '@libp2p/interface'
import { whyNotKept } from '../secret-file.ts'
import { IntakeError } from './errors.ts'

/** RSA-4096 has some 3,200 characters in base64. */
const KEY_TEXT_LENGTH_MAX = 16 * 1024
const OWNER_ONLY = 0o600

/**
 * The key behind the peer id that collectors dial. The file has the deployed listener's form: standard base64 of the
 * libp2p protobuf (its RELAYER_PRIVATE_KEY), any key type. Without a file an Ed25519 key is made and written, mode 0600.
 * Throws IntakeError PEER_KEY; never overwrites a file, since a new key is a new address for every collector.
 */
export async function loadIdentity(keyFile: string): Promise<PrivateKey> {
  const text = await readKeyText(keyFile)
  return text === undefined ? createIdentity(keyFile) : parseIdentity(text, keyFile)
}

async function readKeyText(keyFile: string): Promise<string | undefined> {
  try {
    const notKept = whyNotKept(keyFile)
    if (notKept) throw new IntakeError('PEER_KEY', notKept)
    return await readFile(keyFile, 'utf8')
  } catch (error) {
    if (error instanceof IntakeError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new IntakeError('PEER_KEY', `${keyFile} cannot be read (${codeOf(error)})`, error)
  }
}

function parseIdentity(text: string, keyFile: string): PrivateKey {
  const base64 = text.trim()
  try {
    if (base64.length > KEY_TEXT_LENGTH_MAX || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) throw new Error('not base64')
    return privateKeyFromProtobuf(Buffer.from(base64, 'base64'))
  } catch (error) {
    throw new IntakeError(
      'PEER_KEY',
      `${keyFile} holds no libp2p private key (base64 of its protobuf). Restore it, or move it away for a new peer id`,
      error,
    )
  }
}

/** Writes beside the file, then links it into place: it is there whole or not at all, and the first of two starts wins. */
async function createIdentity(keyFile: string): Promise<PrivateKey> {
  const key = await generateKeyPair('Ed25519')
  const text = `${Buffer.from(privateKeyToProtobuf(key)).toString('base64')}\n`
  const draft = `${keyFile}.${process.pid}.new`
  try {
    await writeFile(draft, text, { mode: OWNER_ONLY })
    await link(draft, keyFile)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return parseIdentity((await readKeyText(keyFile)) ?? '', keyFile)
    throw new IntakeError('PEER_KEY', `${keyFile} cannot be written (${codeOf(error)})`, error)
  } finally {
    await unlink(draft).catch(() => {}) // never written, or already gone
  }
  return key
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
