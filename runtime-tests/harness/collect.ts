/** What test files say with vitest's words, as a tree. */

/** What a test or a hook is given. */
export interface Context {
  skip(condition?: boolean | string, note?: string): void
  onTestFinished(hook: Hook): void
}

export type Hook = (context: Context) => unknown
type Body = (...given: unknown[]) => unknown

export interface Case {
  kind: 'case'
  name: string
  body: (context: Context) => unknown
  /** ms */
  timeout: number
  skipped: boolean
}

export interface Suite {
  kind: 'suite'
  name: string
  skipped: boolean
  beforeEach: Hook[]
  afterEach: Hook[]
  beforeAll: Hook[]
  afterAll: Hook[]
  children: (Suite | Case)[]
}

/** ms; twice what vitest.config.ts allows: all tests share one thread here. */
const TIMEOUT = 30_000

const newSuite = (name: string, skipped: boolean): Suite => ({
  kind: 'suite',
  name,
  skipped,
  beforeEach: [],
  afterEach: [],
  beforeAll: [],
  afterAll: [],
  children: [],
})

let current = newSuite('', false)

/** The tests that evaluating a test file declares. */
export async function collect(name: string, load: () => Promise<unknown>): Promise<Suite> {
  const file = newSuite(name, false)
  current = file
  await load()
  return file
}

type Settings = { timeout?: number } | number
/** `(name, body, ms)` and `(name, { timeout }, body)`. */
type Declare<B> = (name: string, first?: B | Settings, second?: B | Settings) => void

function parts<B extends Body>(first?: B | Settings, second?: B | Settings) {
  const [body, settings] = typeof first === 'function' ? [first, second] : [second, first]
  if (typeof body !== 'function') throw new TypeError('There is nothing to run.')
  const timeout = typeof settings === 'number' ? settings : typeof settings === 'object' ? settings.timeout : undefined
  return { body, timeout: timeout ?? TIMEOUT }
}

const declareSuite =
  (skipped: boolean): Declare<Body> =>
  (name, first, second) => {
    const outer = current
    const suite = newSuite(name, skipped || outer.skipped)
    outer.children.push(suite)
    current = suite
    try {
      if (parts(first, second).body() instanceof Promise) throw new TypeError(`describe('${name}') must not be async.`)
    } finally {
      current = outer
    }
  }

const declareCase =
  (skipped: boolean): Declare<Body> =>
  (name, first, second) => {
    const { body, timeout } = parts(first, second)
    current.children.push({ kind: 'case', name, body, timeout, skipped: skipped || current.skipped })
  }

/** A name for each row of a table: %s, %i and their kin take the values in turn, $field the row's own. */
function titleOf(name: string, row: readonly unknown[], index: number): string {
  let next = 0
  const [first] = row
  return name
    .replace(/%(.)/g, (_, kind) => (kind === '#' ? String(index) : kind === '%' ? '%' : show(row[next++])))
    .replace(/\$(\w+)/g, (whole, field) =>
      typeof first === 'object' && first !== null && field in first ? show(Reflect.get(first, field)) : whole,
    )
}

function show(value: unknown): string {
  if (typeof value !== 'object') return String(value)
  try {
    return JSON.stringify(value)
  } catch {
    return String(value)
  }
}

/** One declaration for each row: `each` spreads rows that are arrays, `for` does not and gives the context too. */
const table =
  (declare: Declare<Body>, spread: boolean) =>
  (rows: Iterable<unknown>) =>
  (name: string, first?: Body | Settings, second?: Body | Settings): void => {
    const { body, timeout } = parts(first, second)
    let index = 0
    for (const row of rows) {
      const given = Array.isArray(row) ? row : [row]
      const title = titleOf(name, given, index++)
      declare(title, (...context) => (spread ? body(...given) : body(row, ...context)), timeout)
    }
  }

const declarer = (make: (skipped: boolean) => Declare<Body>) =>
  Object.assign(make(false), {
    each: table(make(false), true),
    for: table(make(false), false),
    skip: make(true),
    skipIf: (condition: unknown) => make(Boolean(condition)),
    runIf: (condition: unknown) => make(!condition),
  })

export const describe = declarer(declareSuite)
export const it = declarer(declareCase)
export const beforeEach = (hook: Hook) => current.beforeEach.push(hook)
export const afterEach = (hook: Hook) => current.afterEach.push(hook)
export const beforeAll = (hook: Hook) => current.beforeAll.push(hook)
export const afterAll = (hook: Hook) => current.afterAll.push(hook)
