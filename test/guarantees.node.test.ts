import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { titlesOf } from './support/titles.js'

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

const root = new URL('../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const lines = linesOf(read('docs/guarantees.md'))

const known = new Map<string, Set<string>>()
function titles(file: string): Set<string> {
  const found = known.get(file) ?? titlesOf(read(`test/${file}`))
  known.set(file, found)
  return found
}

describe('docs/guarantees.md', () => {
  test('has lines', () => {
    expect(lines.length).toBeGreaterThan(30)
  })

  test.each(lines.map(({ says, tests }) => [says, tests] as const))('names the test of: %s', (_, tests) => {
    for (const reference of tests) {
      const [file, title] = reference.split(' › ')
      expect(reference).toMatch(/^`[^`]+` › .+$/)
      expect([...titles((file ?? '').replaceAll('`', ''))], reference).toContain(title)
    }
  })
})

test('titles are those of tests and groups that run, and no other text', () => {
  const source = String.raw`
    // test('in a comment', () => {})
    const text = "test('in a text', () => {})"
    test('a', () => { expect(1, 'what is expected').toBe(1) })
    it.each([['no title']])('b %s', () => {})
    test.for(['no title'])("c $x's", { timeout: 1 }, () => {})
    it.runIf(typeof window === 'undefined')('d', () => {})
    const extended = test.extend({ scene: ['no title'] })
    extended('e', () => {})
    other('not ours', () => {})
    describe('f', () => {
      test(\`g\`, () => {})
    })
    test.skip('off', () => {})
    it.todo('off')
    test('off', { skip: true }, () => {})
    it.skip.each([1])('off', () => {})
    describe.skip('off', () => {
      test('off', () => {})
    })`
  expect([...titlesOf(source.replaceAll('\\`', '`'))]).toEqual(['a', 'b %s', "c $x's", 'd', 'e', 'f', 'g'])
})
