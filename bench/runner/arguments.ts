/** What is asked for on the command line. */
import { parseArgs } from 'node:util'
import type { BrowserName } from './browser.js'

export interface Asked {
  browser: BrowserName
  /** Names of rows; empty: all. */
  only: readonly string[]
  rounds: number
  /** Tasks of every row, instead of its own. */
  tasks: number | undefined
  /** Where the results go, as JSON. */
  out: string
  quick: boolean
  /** Instead of measuring: prints the results in these files as the table of docs/performance.md. */
  table: readonly string[]
}

/** Throws an Error with words for people. */
export function askedFor(args: string[], known: readonly string[]): Asked {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args,
    options: {
      browser: text,
      only: text,
      rounds: text,
      tasks: text,
      out: text,
      quick: { type: 'boolean' },
      table: text,
    },
  })
  const { browser = 'chromium', quick = false } = values
  if (browser !== 'chromium' && browser !== 'firefox') throw new Error('--browser is chromium or firefox.')
  const only = values.only?.split(',').map((name) => name.trim()) ?? []
  const strange = only.filter((name) => !known.includes(name))
  if (strange.length > 0) throw new Error(`There is no row ${strange.join(', ')}. There are: ${known.join(', ')}.`)
  return {
    browser,
    only,
    quick,
    table: values.table?.split(',') ?? [],
    rounds: count('rounds', values.rounds) ?? (quick ? 3 : 5),
    tasks: count('tasks', values.tasks),
    out: values.out ?? `bench-${browser}.json`,
  }
}

function count(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 1) throw new Error(`--${name} is a number from 1.`)
  return number
}
