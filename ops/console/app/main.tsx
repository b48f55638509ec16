import { render } from 'preact'
import { startLive } from './live.ts'
import { Shell } from './shell.tsx'

const root = document.getElementById('app')!
root.replaceChildren()
render(<Shell />, root)
startLive()
