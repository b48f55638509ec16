/** The small things that every page is made of. */
import { type Signal, signal } from '@preact/signals'
import type { ComponentChildren } from 'preact'
import type { Answer } from '../answers.ts'
import { now } from '../connection.ts'
import { clockTime, duration, percent, short } from '../format.ts'
import { linkTo } from '../place.ts'
import type { Route } from '../routes.ts'
import type { Tone } from '../words.ts'

/** A table that may be wider than the page. A scrolling part must be reached with the keyboard. */
export const Scrolling = ({ label, children }: { label: string; children: ComponentChildren }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: see above
  <section class="scroll-x" tabIndex={0} aria-label={label}>
    {children}
  </section>
)

interface CardProps {
  readonly title: string
  readonly note?: ComponentChildren
  readonly aside?: ComponentChildren
  readonly class?: string
  readonly children: ComponentChildren
}

export function Card(props: CardProps) {
  const id = `card-${props.title.toLowerCase().replaceAll(/\W+/g, '-')}`
  return (
    <section class={`card ${props.class ?? ''}`} aria-labelledby={id}>
      <header class="card-head">
        <div>
          <h2 id={id}>{props.title}</h2>
          {props.note && <p class="note">{props.note}</p>}
        </div>
        {props.aside}
      </header>
      {props.children}
    </section>
  )
}

export const Link = ({ to, class: name, children }: { to: Route; class?: string; children: ComponentChildren }) => (
  <a href={linkTo(to)} class={name}>
    {children}
  </a>
)

export const Tag = ({ tone, children }: { tone: Tone; children: ComponentChildren }) => (
  <span class={`tag ${tone}`}>{children}</span>
)

/** Text whose `commands` stand between backticks. */
export const Words = ({ text }: { text: string }) => (
  <>{text.split('`').map((part, i) => (i % 2 === 1 ? <code key={part}>{part}</code> : part))}</>
)

export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children && <p>{children}</p>}
  </div>
)

/** The data of an answer; what to show until it is there, or when the API refused. */
export function Shown<T>({ answer, children }: { answer: Answer<T>; children: (data: T) => ComponentChildren }) {
  if (answer.problem)
    return (
      <Empty title={answer.problem.status === 404 ? 'Not found' : 'The API refused'}>{answer.problem.message}</Empty>
    )
  if (answer.data === undefined)
    return (
      <p class="loading" role="status">
        Loading…
      </p>
    )
  return <>{children(answer.data)}</>
}

const copied: Signal<string> = signal('')
const COPIED_MS = 1_500

/** A hash, a CID or an address: its ends, all of it on hover, copied by a click. */
export function Hash({ text, name, none = 'none yet' }: { text: string; name: string; none?: string }) {
  if (text === '') return <span class="muted">{none}</span>
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => undefined)
    copied.value = text
    setTimeout(() => {
      if (copied.value === text) copied.value = ''
    }, COPIED_MS)
  }
  return (
    <button type="button" class="hash" title={text} onClick={copy}>
      <span class="visually-hidden">Copy {name} </span>
      {short(text)}
      <span class="copied" aria-live="polite">
        {copied.value === text ? 'copied' : ''}
      </span>
    </button>
  )
}

/** The time since a moment, counting; the time of day on hover. */
export function Ago({ at, after = ' ago' }: { at: number | null; after?: string }) {
  if (at === null) return <span class="muted">–</span>
  return (
    <time dateTime={new Date(at).toISOString()} title={clockTime(at, now.value)}>
      {duration(now.value - at)}
      {after}
    </time>
  )
}

export function Bar({ share, tone }: { share: number; tone: Tone }) {
  return (
    <span class="bar" aria-hidden="true">
      <span class={`fill ${tone}`} style={{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }} />
    </span>
  )
}

const supportTone = (share: number): Tone => (share >= 0.9 ? 'good' : share > 0.5 ? 'warn' : 'bad')

export const Support = ({ share }: { share: number | null }) =>
  share === null ? (
    <span class="muted">–</span>
  ) : (
    <span class="support">
      <Bar share={share} tone={supportTone(share)} />
      {percent(share)}
    </span>
  )

export const Facts = ({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) => (
  <dl class="facts">
    {rows.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
  </dl>
)
