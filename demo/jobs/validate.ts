import type { Item, UserRecord } from './item.js'

export interface Validation<Data = UserRecord> extends Item<Data> {
  is_valid: boolean
  errors: string[]
  warnings: string[]
}

/** Which field an error is about. Errors that are not here concern the row as a whole. */
const fieldOf: Readonly<Record<string, string>> = { 'Invalid email format': 'email', 'Invalid age': 'age' }

/** An error of one row, as people look for it. */
export interface RowError {
  /** From 1; a header is not counted. */
  row: number
  field: string
  message: string
}

/**
 * Judges one user and returns it beside the judgement, so that the next stage can take it from there.
 * @param found errors known before, such as a row with too many cells
 */
export function validate<Data>({ item_id, data, delay }: Item<Data>, found: readonly string[] = []): Validation<Data> {
  const errors = [...found]
  const warnings: string[] = []
  if (typeof data !== 'object' || data === null || Array.isArray(data)) errors.push('Not a record')
  else {
    const { email, age } = fields(data)
    if (email === undefined || email === null) warnings.push('No email')
    else if (typeof email !== 'string' || !email.includes('@')) errors.push('Invalid email format')
    if (age === undefined || age === null) warnings.push('No age')
    else if (typeof age !== 'number' || !Number.isInteger(age) || age < 0 || age > 150) errors.push('Invalid age')
  }
  const judged = { item_id, is_valid: errors.length === 0, errors, warnings, data }
  return delay === undefined ? judged : { ...judged, delay }
}

export function rowErrors({ item_id, errors }: Pick<Validation, 'item_id' | 'errors'>): RowError[] {
  return errors.map((message) => ({ row: item_id + 1, field: fieldOf[message] ?? 'row', message }))
}

function fields(data: object): { email?: unknown; age?: unknown } {
  return { email: 'email' in data ? data.email : undefined, age: 'age' in data ? data.age : undefined }
}
