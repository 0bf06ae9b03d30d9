import { type Case, type Context, collect, type Hook, type Suite } from './collect.js'

/** What became of one test. */
export interface Verdict {
  /** The test file, relative to the repository. */
  file: string
  /** Its describes and its own name. */
  test: string
  state: 'passed' | 'failed' | 'skipped'
  ms: number
  /** Why it failed, or was skipped. */
  message?: string
}

export type Report = (verdict: Verdict) => void

export interface TestFile {
  file: string
  /** Evaluates it. */
  load: () => Promise<unknown>
}

/** Tests that cannot hold here, and why: those whose `file > describe > name` matches. */
export interface Skip {
  pattern: RegExp
  reason: string
}

class Skipped extends Error {}

/** Hooks of the test that runs. */
let finishers: Hook[] | undefined

/** Runs `hook` when the test that runs has ended, the last one first. */
export function onTestFinished(hook: Hook): void {
  if (!finishers) throw new Error('onTestFinished outside of a test')
  finishers.push(hook)
}

/** Runs all tests of all files one after the other. What failed to load is a failure too. */
export async function runFiles(files: readonly TestFile[], skips: readonly Skip[], report: Report): Promise<void> {
  for (const { file, load } of files) {
    let suite: Suite
    try {
      suite = await collect(file, load)
    } catch (error) {
      report({ file, test: '(loading)', state: 'failed', ms: 0, message: told(error) })
      continue
    }
    await runSuite(suite, { file, path: [], before: [], after: [], skips, report })
  }
}

interface Scope {
  file: string
  path: readonly string[]
  /** Hooks of all suites around, outermost first. */
  before: readonly Hook[]
  /** Innermost first. */
  after: readonly Hook[]
  skips: readonly Skip[]
  report: Report
}

const noContext: Context = { skip() {}, onTestFinished }

async function runSuite(suite: Suite, outer: Scope): Promise<void> {
  const scope = {
    ...outer,
    before: [...outer.before, ...suite.beforeEach],
    after: [...[...suite.afterEach].reverse(), ...outer.after],
  }
  const once = async (hooks: readonly Hook[], name: string) => {
    for (const hook of hooks) {
      const error = await failure(() => hook(noContext), 15_000)
      if (error) outer.report({ file: outer.file, test: `${suite.name} (${name})`, state: 'failed', ms: 0, ...error })
    }
  }
  await once(suite.beforeAll, 'beforeAll')
  for (const child of suite.children) {
    if (child.kind === 'suite') await runSuite(child, { ...scope, path: [...scope.path, child.name] })
    else await runCase(child, scope)
  }
  await once(suite.afterAll, 'afterAll')
}

async function runCase({ name, body, timeout, skipped }: Case, scope: Scope): Promise<void> {
  const { file, path, report } = scope
  const test = [...path, name].join(' > ')
  const full = `${file} > ${test}`
  const skip = scope.skips.find(({ pattern }) => pattern.test(full))
  if (skip || skipped) return report({ file, test, state: 'skipped', ms: 0, message: skip?.reason ?? 'not here' })

  const mine: Hook[] = []
  finishers = mine
  let note: string | undefined
  const context: Context = {
    onTestFinished: (hook) => mine.push(hook),
    skip(condition = true, why) {
      if (condition === false) return
      note = typeof condition === 'string' ? condition : (why ?? 'not here')
      throw new Skipped(note)
    },
  }
  const began = Date.now()
  const undo: Hook[] = []
  const errors: unknown[] = []
  const step = async (work: () => unknown) => {
    const error = await failure(work, timeout)
    if (error) errors.push(error.message)
    return !error
  }
  const ready = await step(async () => {
    for (const hook of scope.before) {
      const cleanup = await hook(context)
      if (typeof cleanup === 'function') undo.push(() => cleanup())
    }
  })
  if (ready) await step(() => body(context))
  for (const hook of [...undo.reverse(), ...scope.after]) await step(() => hook(context))
  for (let hook = mine.pop(); hook; hook = mine.pop()) {
    const finish = hook
    await step(() => finish(context))
  }
  finishers = undefined
  const ms = Date.now() - began
  if (note !== undefined) report({ file, test, state: 'skipped', ms, message: note })
  else if (errors.length > 0) report({ file, test, state: 'failed', ms, message: errors.join('\n') })
  else report({ file, test, state: 'passed', ms })
}

/** What `work` failed with, be it by taking longer than `ms`. */
async function failure(work: () => unknown, ms: number): Promise<{ message: string } | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`It takes longer than ${ms} ms.`)), ms)
  })
  try {
    await Promise.race([(async () => work())(), late])
    return undefined
  } catch (error) {
    return error instanceof Skipped ? undefined : { message: told(error) }
  } finally {
    clearTimeout(timer)
  }
}

export function told(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const said = `${error.name}: ${error.message}`
  const stack = error.stack ?? ''
  return stack.includes(error.message) ? stack : `${said}\n${stack}`
}
