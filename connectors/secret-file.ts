import { statSync } from 'node:fs'

/** Bits that let group or others read, write or run; and the same without the group's reading. */
const OTHERS = 0o077
const OTHERS_BUT_GROUP = 0o037

/**
 * Whether a file with a secret is for its reader alone. One of root's may be read by the group: so Kubernetes mounts a Secret
 * for a process that is not root. PostgreSQL takes the key files of its clients by the same rule.
 */
export const isKept = ({ mode, uid }: { mode: number; uid: number }, reader: number | undefined): boolean =>
  (mode & (uid === 0 && reader !== 0 ? OTHERS_BUT_GROUP : OTHERS)) === 0

/** The fault of a file that holds a secret and is not for its reader alone, and the remedy. Throws as `stat` does. */
export function whyNotKept(file: string): string | undefined {
  if (process.platform === 'win32' || isKept(statSync(file), process.getuid?.())) return undefined
  return `${file} can be read by others. Run: chmod 600 ${file}`
}
