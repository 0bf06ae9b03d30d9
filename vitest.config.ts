import { playwright } from '@vitest/browser-playwright'
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { findChromium } from './scripts/chromium.js'
import { commands } from './test/support/browsers/commands.js'
import { summary } from './test/support/browsers/summary.js'

/** Tests and what they import may say 'sitq' for src/, as apps do. */
const resolve = { tsconfigPaths: true }

/** A test that waits for something that never comes must fail, not hang the run. */
export const limits = {
  testTimeout: 15_000,
  hookTimeout: 15_000,
  teardownTimeout: 10_000,
  expect: { poll: { timeout: 5_000 } },
}

/** What the server of any browser's tests needs. */
export const inBrowsers = {
  // Found by the server before the tests run: a dependency found later reloads the page in the middle of a test.
  optimizeDeps: { include: ['idb', 'comlink', 'fast-check', 'papaparse'] },
  resolve,
  worker: { format: 'es' },
} satisfies TestProjectInlineConfiguration

export const chromium = {
  ...inBrowsers,
  test: {
    name: 'chromium',
    include: ['test/**/*.test.ts'],
    exclude: ['test/**/*.node.test.ts'],
    sequence: { groupOrder: 1 }, // after the Node tests: timing is steadier when both cores are free
    globalSetup: ['test/support/browsers/chromium.setup.ts'],
    browser: {
      enabled: true,
      headless: true,
      ui: false,
      screenshotFailures: false,
      provider: playwright({ launchOptions: findChromium() }),
      commands,
      instances: [{ browser: 'chromium' }],
    },
    ...limits,
  },
} satisfies TestProjectInlineConfiguration

export default defineConfig({
  test: {
    reporters: ['default', summary],
    projects: [
      {
        resolve,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.browser.test.ts'],
          setupFiles: ['fake-indexeddb/auto'],
          maxWorkers: 2, // most files wait for browsers and other processes; the default is a core less than there are
          ...limits,
        },
      },
      chromium,
      {
        // Types are specified by tests too; the compiler is their runner.
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            checker: 'tsc',
            include: ['test/**/*.test-d.ts'],
            ignoreSourceErrors: true, // those are for `npm run typecheck` to report
          },
        },
      },
    ],
  },
})
