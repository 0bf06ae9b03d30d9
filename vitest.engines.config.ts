import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import type { BrowserProviderOption } from 'vitest/node'
import { engineTable } from './test/support/browsers/engine-table.js'
import { firefox } from './test/support/browsers/firefox.js'
import { portableCommands } from './test/support/browsers/portable-commands.js'
import { summary } from './test/support/browsers/summary.js'
import { webkit } from './test/support/browsers/webkit.js'
import { chromium, inBrowsers, limits } from './vitest.config.js'

/** Every browser test in every engine: `npm run test:engines`, which sees to it that the engines are there. */
export default defineConfig({
  test: {
    reporters: ['default', engineTable, summary],
    projects: [chromium, engine('firefox', firefox(), 2), engine('webkit', webkit(), 3)],
  },
})

/** @param turn when it comes: one engine at a time, because timing is steadier when both cores are free. */
function engine(
  name: 'firefox' | 'webkit',
  provider: BrowserProviderOption,
  turn: number,
): TestProjectInlineConfiguration {
  return {
    ...inBrowsers,
    test: {
      name,
      include: chromium.test.include,
      exclude: chromium.test.exclude,
      sequence: { groupOrder: turn },
      browser: {
        enabled: true,
        headless: true,
        ui: false,
        screenshotFailures: false,
        provider,
        commands: portableCommands,
        instances: [{ browser: name }],
      },
      ...limits,
    },
  }
}
