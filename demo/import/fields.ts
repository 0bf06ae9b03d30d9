import type { UserRecord } from '../jobs/item.js'

/** Which of a file's columns holds which field, by the column's own name. */
export interface Fields {
  name?: string
  email?: string
  age?: string
}

const known = ['name', 'email', 'age'] as const
const plain = (column: string) => column.trim().toLowerCase()

/** Finds the fields among a file's columns, without regard to case. */
export function findFields(columns: readonly string[]): Fields {
  const fields: Fields = {}
  for (const field of known) {
    const column = columns.find((each) => plain(each) === field)
    if (column !== undefined) fields[field] = column
  }
  return fields
}

/** A file with neither of the fields that are validated: someone must say where they are. */
export const needsMapping = (fields: Fields) => fields.email === undefined && fields.age === undefined

/** The name under which each column's cells are kept. No two are the same. */
export function columnKeys(columns: readonly string[], fields: Fields): string[] {
  const taken = new Set<string>()
  const field = (column: string, index: number) =>
    known.find((each) => fields[each] === column && columns.indexOf(column) === index)
  return columns.map((column, index) => {
    const own = field(column, index)
    let key = own ?? (column.trim() || `column ${index + 1}`)
    // A second "email" must not hide the first.
    for (let n = 2; taken.has(key) || (own === undefined && known.some((each) => each === plain(key))); n++)
      key = `${column} ${n}`
    taken.add(key)
    return key
  })
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i

/** One row of a CSV file. An empty cell is a missing field; an age is read as a number if it looks like one. */
export function recordOf(cells: readonly string[], keys: readonly string[]): UserRecord {
  const entries: [string, string | number][] = []
  cells.forEach((cell, index) => {
    const text = cell.trim()
    const key = keys[index] ?? `column ${index + 1}`
    if (text !== '') entries.push([key, key === 'age' && NUMBER.test(text) ? Number(text) : text])
  })
  return Object.fromEntries(entries)
}

/** A record of a JSON file with its fields under the names that are validated. Anything but a record is left as it is. */
export function renamed(value: unknown, fields: Fields): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  const entries = Object.entries(value)
  const columns = entries.map(([key]) => key)
  const own = { ...findFields(columns), ...present(fields, columns) }
  const keys = columnKeys(columns, own)
  return Object.fromEntries(entries.map(([key, each], index) => [keys[index] ?? key, each]))
}

function present(fields: Fields, columns: readonly string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([, column]) => columns.includes(column)))
}
