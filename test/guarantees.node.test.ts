import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

// docs/guarantees.md names the test behind each line. A line whose test was renamed or removed promises nothing.

interface Line {
  says: string
  tests: string[]
}

/** The rows of every table whose last column is headed 'Test'. */
function linesOf(markdown: string): Line[] {
  const lines: Line[] = []
  let inTable = false
  for (const text of markdown.split('\n')) {
    const cells = /^\|(.*)\|$/
      .exec(text.trim())?.[1]
      ?.split(/(?<!\\)\|/)
      .map((cell) => cell.trim())
    if (!cells) inTable = false
    else if (cells.at(-1) === 'Test') inTable = true
    else if (inTable && !/^:?-+:?$/.test(cells[0] ?? '')) {
      const tests = (cells.at(-1) ?? '').split('<br>').map((cell) => cell.trim())
      lines.push({ says: cells.slice(0, -1).join(' | '), tests })
    }
  }
  return lines
}

/** Titles as they stand in the source, in any quotes. */
function holds(source: string, title: string): boolean {
  const escaped = (quote: string) => title.replaceAll(quote, `\\${quote}`)
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${escaped(quote)}${quote}`))
}

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const lines = linesOf(read('docs/guarantees.md'))

describe('docs/guarantees.md', () => {
  test('has lines', () => {
    expect(lines.length).toBeGreaterThan(30)
  })

  test.each(lines.map(({ says, tests }) => [says, tests] as const))('names the test of: %s', (_, tests) => {
    for (const reference of tests) {
      const [file, title] = reference.split(' › ')
      expect(reference).toMatch(/^`[^`]+` › .+$/)
      expect(holds(read(`test/${(file ?? '').replaceAll('`', '')}`), title ?? ''), reference).toBe(true)
    }
  })
})
