import { defineConfig } from 'vitest/config'

const shared = { setupFiles: ['./ops/bin/shim.mjs'] }
const withKafka = ['test/**/*kafka*.real.test.ts', 'test/**/kafka/**/*.real.test.ts']
const slow = { testTimeout: 300_000, hookTimeout: 120_000 }

/**
 * `unit` does no I/O beyond a temporary directory and no sockets; then `real`, which starts real parts (anvil, libp2p, child
 * processes) and waits for them half of its time. Both run two files at a time. Then `kafka`, which has a broker: one file at a
 * time, for the broker, the registry and the processes of one fill both cores.
 */
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
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...shared,
          ...slow,
          name: 'real',
          globalSetup: ['./test/global-setup.ts'],
          include: ['test/**/*.real.test.ts'],
          exclude: withKafka,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          ...slow,
          name: 'kafka',
          globalSetup: ['./test/global-setup.ts', './test/real/kafka-setup.ts'],
          include: withKafka,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
