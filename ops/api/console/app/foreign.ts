/**
 * Foreign text on a page. Markup in it is only text there, but characters that cannot be seen, or that reorder what stands
 * beside them, would still make a reader see another text than is there. So every text of every page passes here, whichever
 * component made it: none can forget it.
 */
import { options, type VNode } from 'preact'
import { printableLine } from '../../../base/printable.ts'

/** Attributes that are read, by eye or by a screen reader. */
const READ = ['title', 'aria-label', 'alt', 'placeholder'] as const

/** To be called before anything is rendered. */
export function showForeignText(): void {
  const before = options.vnode
  options.vnode = (vnode) => {
    tame(vnode as Written)
    before?.(vnode)
  }
}

/** As preact makes it: the text of a text node stands in the place of properties. */
interface Written extends Omit<VNode, 'type' | 'props'> {
  readonly type: VNode['type'] | null
  props: string | number | Record<string, unknown>
}

function tame(vnode: Written): void {
  if (vnode.type === null && typeof vnode.props === 'string') vnode.props = printableLine(vnode.props)
  if (typeof vnode.type !== 'string' || typeof vnode.props !== 'object') return
  for (const name of READ) {
    const text = vnode.props[name]
    if (typeof text === 'string') vnode.props[name] = printableLine(text)
  }
}
