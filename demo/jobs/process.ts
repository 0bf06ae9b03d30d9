import type { Item } from './item.js'

export interface Processed<Data = unknown> {
  item_id: number
  original_value: Data
  processed_value: string | number
  status: 'processed'
  /** ISO 8601. */
  timestamp: string
}

/** Doubles a numeric `value`; anything else becomes upper-case text. */
export function processed<Data>({ item_id, data }: Item<Data>, now = Date.now()): Processed<Data> {
  const processed_value = typeof data === 'object' && data !== null ? ofObject(data) : upper(data)
  return {
    item_id,
    original_value: data,
    processed_value,
    status: 'processed',
    timestamp: new Date(now).toISOString(),
  }
}

function ofObject(data: object): string | number {
  return 'value' in data && typeof data.value === 'number' ? data.value * 2 : upper(data)
}

function upper(data: unknown): string {
  return (typeof data === 'string' ? data : (JSON.stringify(data) ?? String(data))).toUpperCase()
}
