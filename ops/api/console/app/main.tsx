import { render } from 'preact'
import { showForeignText } from './foreign.ts'
import { startLive } from './live.ts'
import { Shell } from './shell.tsx'

const root = document.getElementById('app')!
root.replaceChildren()
showForeignText()
render(<Shell />, root)
startLive()
