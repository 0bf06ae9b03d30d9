import type { Fault } from './fault.js'

const token =
  /[ \t\r\n]*(?:(?<string>"(?:[^"\\\p{Cc}]|\x7f|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?<value>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])|(?:true|false|null)(?!\w))|(?<mark>[{}[\],:]))/uy

type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or }' | ', or ]' | 'nothing more'

/**
 * Finds where a text that `JSON.parse` refused stops being JSON. The browsers' own messages differ, and some name no
 * position. Undefined: it is JSON after all.
 */
export function jsonFault(text: string): Fault | undefined {
  const open: string[] = []
  let expected: Expected = 'value'
  let at = 0
  const after = (): Expected => {
    const bracket = open.at(-1)
    return bracket === undefined ? 'nothing more' : bracket === '{' ? ', or }' : ', or ]'
  }
  while (expected !== 'nothing more') {
    token.lastIndex = at
    const groups = token.exec(text)?.groups
    const { string, value, mark } = groups ?? {}
    const wanted: string = expected
    let next: Expected | undefined
    if (wanted.startsWith('name') && string !== undefined) next = ':'
    else if (wanted.startsWith('value') && (string ?? value) !== undefined) next = after()
    else if (wanted.startsWith('value') && (mark === '{' || mark === '[')) {
      open.push(mark)
      next = mark === '{' ? 'name or }' : 'value or ]'
    } else if (mark === ':' && wanted === ':') next = 'value'
    else if (mark === ',' && wanted.startsWith(',')) next = open.at(-1) === '{' ? 'name' : 'value'
    else if ((mark === '}' || mark === ']') && wanted.endsWith(mark)) {
      open.pop()
      next = after()
    }
    if (next === undefined) return { at: skipBlanks(text, at), message: `expected ${wanted}` }
    at = token.lastIndex
    expected = next
  }
  const rest = skipBlanks(text, at)
  return rest < text.length ? { at: rest, message: 'expected nothing more' } : undefined
}

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && ' \t\r\n'.includes(text.charAt(at))) at++
  return at
}
