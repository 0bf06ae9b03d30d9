import { parseAst } from 'vite'

/** What is not run, nor is anything in it. */
const OFF = ['skip', 'todo']

/**
 * Titles of the tests and groups of a test file, as they stand in its source: those that are given to a call of `test`, `it`
 * or `describe`, or of what the file made of one by `extend`. Those that are switched off are left out, with what is in them.
 * `skipIf` and `runIf` are conditions, and such tests count.
 */
export function titlesOf(source: string): Set<string> {
  const titles = new Set<string>()
  const makers = new Set(['test', 'it', 'describe'])
  const walk = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(walk)
    if (!isNode(value)) return
    if (value.type === 'VariableDeclarator' && isNode(value.id) && isNode(value.init)) {
      const [maker = '', how] = pathOf(value.init)
      if (makers.has(maker) && how === 'extend') makers.add(String(value.id.name))
    }
    if (value.type === 'CallExpression' && Array.isArray(value.arguments)) {
      const [maker = '', ...how] = pathOf(value.callee)
      if (makers.has(maker)) {
        const [title, ...rest]: unknown[] = value.arguments
        if (how.some((name) => OFF.includes(name)) || rest.some(turnsOff)) return
        const text = textOf(title)
        if (text !== undefined) titles.add(text)
      }
    }
    Object.values(value).forEach(walk)
  }
  walk(parseAst(source, { lang: 'ts' }))
  return titles
}

interface Node {
  type: string
  [key: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'

/** `['test', 'for']` of `test.for([1, 2])`. */
function pathOf(node: unknown): string[] {
  if (!isNode(node)) return []
  if (node.type === 'Identifier') return [String(node.name)]
  if (node.type === 'MemberExpression') return [...pathOf(node.object), ...pathOf(node.property)]
  return pathOf(node.callee ?? node.tag)
}

function textOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value
  if (node.type !== 'TemplateLiteral' || !Array.isArray(node.quasis)) return undefined
  const [only, ...others]: unknown[] = node.quasis
  if (others.length > 0 || !isNode(only) || typeof only.value !== 'object' || only.value === null) return undefined
  return 'cooked' in only.value && typeof only.value.cooked === 'string' ? only.value.cooked : undefined
}

/** Options with `skip` or `todo`. */
function turnsOff(node: unknown): boolean {
  if (!isNode(node) || node.type !== 'ObjectExpression' || !Array.isArray(node.properties)) return false
  return node.properties.some((property) => isNode(property) && OFF.includes(pathOf(property.key)[0] ?? ''))
}
