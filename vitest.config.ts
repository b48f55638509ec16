import { defineConfig } from 'vitest/config'

const shared = { setupFiles: ['./ops/bin/shim.mjs'] }

/** `unit` does no I/O beyond a temporary directory and no sockets; `real` starts real parts (anvil, libp2p, child processes). */
export default defineConfig({
  test: {
    reporters: ['default', './test/reporter.ts'],
    projects: [
      {
        test: {
          ...shared,
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.real.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          ...shared,
          name: 'real',
          globalSetup: ['./test/global-setup.ts'],
          include: ['test/**/*.real.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
