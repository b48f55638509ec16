import type { Reporter, TestModule } from 'vitest/node'

/** Files whose time is told: CI has a bound, and these are where to save. */
const SLOWEST = 12

/** Prints what took longest, and the counts as the last line, in the one form that CI reads. */
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    for (const module of modules) {
      let tests = 0
      for (const test of module.children.allTests()) {
        tests++
        const { state } = test.result()
        if (state === 'passed') counts.passed++
        else if (state === 'failed') counts.failed++
        else counts.skipped++
      }
      if (tests === 0 && module.state() === 'failed') counts.failed++
    }
    console.log(`slowest files, s: ${slowest(modules).join(', ')}`)
    process.once('exit', () =>
      console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`),
    )
  }
}

const slowest = (modules: readonly TestModule[]): string[] =>
  modules
    .map((module) => ({ name: module.relativeModuleId, seconds: module.diagnostic().duration / 1_000 }))
    .sort((a, b) => b.seconds - a.seconds)
    .slice(0, SLOWEST)
    .map(({ name, seconds }) => `${name} ${seconds.toFixed(0)}`)
