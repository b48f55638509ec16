/** Dark, light, or as the system has it. */
import { signal } from '@preact/signals'

const KEY = 'theme'
const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

export const theme = signal<Theme>(remembered())
theme.subscribe((chosen) => {
  if (chosen === 'system') document.documentElement.removeAttribute('data-theme')
  else document.documentElement.dataset.theme = chosen
})

/** Counts up whenever colours change: what draws on a canvas looks them up anew. */
export const colours = signal(0)
const changed = () => {
  colours.value++
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed)

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!
  changed()
  try {
    localStorage.setItem(KEY, theme.value)
  } catch {
    // A browser may forbid it; then the choice ends with the page.
  }
}

function remembered(): Theme {
  try {
    const found = localStorage.getItem(KEY)
    return THEMES.find((one) => one === found) ?? 'system'
  } catch {
    return 'system'
  }
}
