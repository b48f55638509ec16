/**
 * The result of a call, or `late` after `ms`. The call itself goes on. For calls of others that may never settle: a process must
 * not wait for them without end, nor end quietly because nothing else is left to wait for.
 */
export function within<T>(ms: number, call: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), ms)
    const settle = (): void => clearTimeout(timer)
    call.finally(settle).then(resolve, reject)
  })
}
