import { pathStep } from '../cloneable.js'
import type { InputCheck, StandardSchema } from '../handlers.js'
import { clipped, peek } from '../peek.js'
import { isThenable } from './thenable.js'

/** What a check made of a stored input. */
export type Checked = { input: unknown } | { misfit: string }

/** Issues told of one input, and characters of a reason: it is stored with every task it holds back. */
const ISSUES = 3
const LONGEST = 500
const NO_WORD = 'does not fit, and nothing says why'

/** Never throws nor rejects. A promise only if the check gave one: without need nothing is awaited before a handler runs. */
export function checkInput(check: InputCheck, stored: unknown): Checked | Promise<Checked> {
  const judge = isSchema(check) ? judged : (input: unknown): Checked => ({ input })
  try {
    const answer = isSchema(check) ? check['~standard'].validate(stored) : check(stored)
    return isThenable(answer) ? Promise.resolve(answer).then(judge).catch(misfit) : judge(answer)
  } catch (thrown) {
    return misfit(thrown)
  }
}

/** Also of a schema that is a function. */
export function isSchema(check: unknown): check is StandardSchema {
  if ((typeof check !== 'object' && typeof check !== 'function') || check === null) return false
  const standard: unknown = Reflect.get(check, '~standard')
  return typeof standard === 'object' && standard !== null
}

/** What a schema says. */
function judged(answer: unknown): Checked {
  const issues = peek(answer, 'issues')
  const accepted = typeof answer === 'object' && answer !== null && 'value' in answer && issues === undefined
  return accepted ? { input: answer.value } : { misfit: told(issues) }
}

/** A schema's own error has issues; of any other the message is all there is. */
function misfit(thrown: unknown): Checked {
  const issues = peek(thrown, 'issues')
  if (issues !== undefined) return { misfit: told(issues) }
  const message = typeof thrown === 'string' ? thrown : peek(thrown, 'message')
  return { misfit: clipped(`input: ${typeof message === 'string' && message !== '' ? message : NO_WORD}`, LONGEST) }
}

/** `input.email: expected string; input.age: expected number` */
function told(issues: unknown): string {
  try {
    if (!Array.isArray(issues) || issues.length === 0) return `input: ${NO_WORD}`
    const some = issues.slice(0, ISSUES).map((issue: unknown) => {
      const message = peek(issue, 'message')
      return `input${pathOf(peek(issue, 'path'))}: ${typeof message === 'string' ? message : NO_WORD}`
    })
    const more = issues.length > ISSUES ? `; and ${issues.length - ISSUES} more` : ''
    return clipped(some.join('; '), LONGEST - more.length) + more
  } catch {
    return `input: ${NO_WORD}`
  }
}

/** Of keys, or of objects with a key. */
function pathOf(path: unknown): string {
  if (!Array.isArray(path)) return ''
  return path
    .map((step: unknown) => {
      const key: unknown = typeof step === 'object' && step !== null ? peek(step, 'key') : step
      if (typeof key === 'number') return `[${key}]`
      return typeof key === 'string' ? pathStep(key) : `[${String(key)}]`
    })
    .join('')
}
