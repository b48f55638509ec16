/** The needs of `dev` on a machine, and the needs of a data directory. */
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { recovery } from '../../../topology/shared/recovery.ts'
import { FREE_BYTES_MIN, fewOpenFiles, freeBytes, openFilesMax } from '../../base/machine-limits.ts'
import { ensureWritable } from '../../ground/data-directory.ts'
import { directoryPaths } from '../../ground/directory-paths.ts'
import { findAnvil } from '../../world/chain/anvil.ts'
import { type Finding, failed } from './finding.ts'

/** As `engines` in package.json; a test compares. */
const NODE_MIN = { major: 20, minor: 19 }

export function nodeVersion(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const ok = major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor)
  const advice = `Install Node ${NODE_MIN.major}.${NODE_MIN.minor} or newer.`
  return { check: 'node', ok, detail: `v${version}`, ...(!ok && { advice }) }
}

export const signatures = (): Finding => ({
  check: 'signatures',
  ok: true,
  detail:
    recovery.backend === 'native'
      ? 'native libsecp256k1'
      : 'libsecp256k1 as WebAssembly: half as fast; no prebuilt binary fits this machine',
})

export function directory(dataDir: string): Finding {
  try {
    ensureWritable(dataDir)
    return {
      check: 'data directory',
      ok: true,
      detail: existsSync(directoryPaths(dataDir).settings) ? `${dataDir} holds a log` : `${dataDir} is empty`,
    }
  } catch (error) {
    return failed('data directory', error, 'Give --data-dir a directory that this user may write to.')
  }
}

export function space(dataDir: string): Finding {
  const free = freeBytes(dataDir)
  const ok = free >= FREE_BYTES_MIN
  return {
    check: 'disk',
    ok,
    detail: `${(free / 1024 ** 3).toFixed(1)} GiB free`,
    ...(!ok && { advice: 'Free some space: at least 1 GiB.' }),
  }
}

export function openFiles(max = openFilesMax()): Finding {
  const few = fewOpenFiles(max)
  if (few) return { check: 'open files', ok: false, ...few }
  return { check: 'open files', ok: true, detail: max === undefined ? 'the system names no limit' : `up to ${max}` }
}

export function anvil(): Finding {
  try {
    return { check: 'anvil', ok: true, detail: findAnvil() }
  } catch (error) {
    return failed('anvil', error, 'Install anvil (Foundry), or give `dev` a node with --rpc.')
  }
}

export const port = (number: number, option: string): Promise<Finding> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve({
        check: `port ${number}`,
        ok: false,
        detail: error.code ?? error.message,
        advice: `Stop what uses it, or choose another with ${option}.`,
      }),
    )
    server.listen(number, '127.0.0.1', () =>
      server.close(() => resolve({ check: `port ${number}`, ok: true, detail: 'free' })),
    )
  })
