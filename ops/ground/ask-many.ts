/** A question about many things at once, some of which cannot be answered: a log answers for all it was asked for, or fails. */

/**
 * Asks for all at once; where that fails because of some of them, for the halves, down to those alone.
 * @param alone the answers in place of one that cannot be had; it throws what is no matter of that one
 */
export async function askMany<T, A>(
  items: readonly T[],
  ask: (items: readonly T[]) => Promise<readonly A[]>,
  alone: (error: unknown, item: T) => readonly A[],
): Promise<readonly A[]> {
  if (items.length === 0) return []
  try {
    return await ask(items)
  } catch (error) {
    if (items.length === 1) return alone(error, items[0]!)
    alone(error, items[0]!) // throws where the halves would fail alike
    const half = Math.ceil(items.length / 2)
    const halves = [items.slice(0, half), items.slice(half)]
    return (await Promise.all(halves.map((part) => askMany(part, ask, alone)))).flat()
  }
}
