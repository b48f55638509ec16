/** The frame of every page: navigation, the look-up, the market, and whether the API answers. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Market, Page } from '../../schema.ts'
import { useAnswer } from './answers.ts'
import { connection, now } from './connection.ts'
import { clockTime, duration, short } from './format.ts'
import { Batch } from './pages/batch.tsx'
import { Cluster } from './pages/cluster.tsx'
import { Days } from './pages/days.tsx'
import { Epoch } from './pages/epoch.tsx'
import { Epochs } from './pages/epochs.tsx'
import { Lookup, Submission } from './pages/lookup.tsx'
import { Overview } from './pages/overview.tsx'
import { Transactions } from './pages/transactions.tsx'
import { Empty } from './parts/basics.tsx'
import { chooseMarket, go, linkTo, market, marketShown, markets, route } from './place.ts'
import { parseLookup, type Route } from './routes.ts'
import { nextTheme, theme } from './theme.ts'

const NAVIGATION = [
  { name: 'Overview', to: { page: 'overview' }, of: ['overview'] },
  { name: 'Epochs', to: { page: 'epochs' }, of: ['epochs', 'epoch', 'batch'] },
  { name: 'Slots', to: { page: 'lookup', slotId: undefined, epochId: undefined }, of: ['lookup', 'submission'] },
  { name: 'Days', to: { page: 'days', day: undefined, slotId: undefined }, of: ['days'] },
  { name: 'Transactions', to: { page: 'transactions' }, of: ['transactions'] },
  { name: 'Cluster', to: { page: 'cluster' }, of: ['cluster'] },
] as const satisfies readonly { name: string; to: Route; of: readonly Route['page'][] }[]

export function Shell() {
  const answer = useAnswer<Page<Market>>('/v1/markets', 'health')
  const known = answer.data?.items
  const told = known?.map(({ dataMarket, served, sinceBlock }) => `${dataMarket} ${served} ${sinceBlock}`).join()
  useEffect(() => {
    if (known !== undefined) markets.value = known
  }, [told])
  const main = useFocusOnChange()
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header />
      <Banner />
      <Removed />
      <main ref={main} id="main" tabIndex={-1}>
        {market.value === undefined && told !== '' ? (
          <p class="loading" role="status">
            Asking the sequencer…
          </p>
        ) : (
          <CurrentPage at={route.value} />
        )}
      </main>
    </>
  )
}

function CurrentPage({ at }: { at: Route }) {
  switch (at.page) {
    case 'overview':
      return <Overview />
    case 'epochs':
      return <Epochs />
    case 'epoch':
      return <Epoch key={at.epochId} route={at} />
    case 'lookup':
      return <Lookup route={at} />
    case 'submission':
      return <Submission submissionId={at.submissionId} />
    case 'batch':
      return <Batch key={at.cid} cid={at.cid} />
    case 'transactions':
      return <Transactions />
    case 'cluster':
      return <Cluster />
    case 'days':
      return <Days route={at} />
    case 'unknown':
      return (
        <>
          <h1 tabIndex={-1}>No such page</h1>
          <Empty title="The address leads nowhere">
            Choose a page above, or look up a slot with <kbd>/</kbd>.
          </Empty>
        </>
      )
  }
}

/** Another page: its title, its top, and the focus on its heading, so that a screen reader reads it. */
function useFocusOnChange() {
  const main = useRef<HTMLElement>(null)
  const first = useRef(true)
  const { page, ...rest } = route.value
  const name = 'epochId' in rest && page === 'epoch' ? `Epoch ${rest.epochId}` : page
  const key = page === 'epoch' ? name : page
  useEffect(() => {
    document.title = `${name.charAt(0).toUpperCase()}${name.slice(1)} · Sequencer`
    if (first.current) first.current = false
    else {
      scrollTo(0, 0)
      main.current?.querySelector('h1')?.focus({ preventScroll: true })
    }
  }, [key])
  return main
}

const Header = () => (
  <header class="top">
    <a class="brand" href={linkTo({ page: 'overview' })} aria-label="Sequencer, overview">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" />
        <path d="M8 11h10M8 16h16M8 21h7" />
      </svg>
      <span>Sequencer</span>
    </a>
    <nav aria-label="Pages">
      <ul>
        {NAVIGATION.map(({ name, to, of }) => (
          <li key={name}>
            <a
              href={linkTo(to)}
              aria-current={(of as readonly string[]).includes(route.value.page) ? 'page' : undefined}
            >
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
    <QuickLookup />
    <MarketChoice />
    <ConnectionLight />
    <button
      type="button"
      class="icon"
      onClick={nextTheme}
      aria-label={`Colours: ${theme.value}. Change`}
      title={`Colours: ${theme.value}`}
    >
      <span aria-hidden="true">{{ system: '◐', light: '☀', dark: '☾' }[theme.value]}</span>
    </button>
  </header>
)

/** `/` brings one here from anywhere but a field. */
function QuickLookup() {
  const field = useRef<HTMLInputElement>(null)
  const [text, setText] = useState('')
  const [wrong, setWrong] = useState(false)
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)
      if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return
      event.preventDefault()
      field.current?.focus()
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [])
  const submit = (event: Event) => {
    event.preventDefault()
    const to = parseLookup(text)
    setWrong(to === undefined)
    if (!to) return
    setText('')
    go(to)
  }
  return (
    <search class="quick">
      <form onSubmit={submit}>
        <input
          ref={field}
          type="search"
          aria-label="Look up a slot, an epoch, a submission or a batch"
          aria-describedby="quick-help"
          aria-invalid={wrong}
          placeholder="Look up…"
          value={text}
          onInput={(event) => {
            setText(event.currentTarget.value)
            setWrong(false)
          }}
        />
        <kbd>/</kbd>
      </form>
      <p id="quick-help" class={wrong ? 'wrong' : 'hint'} role={wrong ? 'alert' : undefined}>
        {wrong ? 'That is none of the following: ' : ''}
        <code>7</code> a slot · <code>7/12</code> in epoch 12 · <code>epoch 12</code> · a submission id · the CID of a
        batch
      </p>
    </search>
  )
}

const MarketChoice = () =>
  markets.value.length < 2 ? null : (
    <label class="market">
      <span class="visually-hidden">Data market</span>
      <select value={market.value} onChange={(event) => chooseMarket(event.currentTarget.value)}>
        {markets.value.map(({ dataMarket, served }) => (
          <option key={dataMarket} value={dataMarket}>
            {short(dataMarket, 6, 4)}
            {served ? '' : ' (removed)'}
          </option>
        ))}
      </select>
    </label>
  )

const CONNECTION = {
  starting: { name: 'Connecting', help: 'Waiting for the first answer.' },
  live: { name: 'Live', help: 'News comes as it happens.' },
  polling: { name: 'Every 4 s', help: 'The stream of news is interrupted; the pages are asked for again and again.' },
  down: { name: 'No answer', help: 'The sequencer does not answer; trying again.' },
} as const

const ConnectionLight = () => {
  const { state } = connection.value
  return (
    <span class={`connection ${state}`} title={CONNECTION[state].help}>
      <span class="dot" aria-hidden="true" />
      {CONNECTION[state].name}
    </span>
  )
}

/** On every page of a data market that is no longer served. */
function Removed() {
  const { served, sinceBlock } = marketShown.value ?? { served: true }
  if (served) return null
  return (
    <div class="banner" role="status">
      <strong>This data market is not served{sinceBlock ? ` since block ${sinceBlock}` : ''}.</strong> No epoch of it is
      followed any more; those that were open still finish.
    </div>
  )
}

/** While the API does not answer: since when, and that what is shown is from then. */
function Banner() {
  const { state, lastGood } = connection.value
  if (state !== 'down') return null
  return (
    <div class="banner" role="alert">
      <strong>The sequencer does not answer.</strong>{' '}
      {lastGood === undefined
        ? 'Nothing was read from it yet.'
        : `The page shows the state of ${clockTime(lastGood, Date.now())}.`}{' '}
      Trying again by itself. If this lasts, check that the process with the role <code>api</code> runs.
      {lastGood !== undefined && (
        <span class="note" aria-hidden="true">
          {' '}
          {duration(now.value - lastGood)} old
        </span>
      )}
    </div>
  )
}
