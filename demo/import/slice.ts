import type { Item } from '../jobs/item.js'
import { cutCsv } from './cut-csv.js'
import { cutJson } from './cut-json.js'
import { type Cut, FileFault } from './fault.js'
import { columnKeys, type Fields, recordOf, renamed } from './fields.js'
import type { StoredFile } from './files.js'
import { parseRows } from './inspect.js'
import { jsonFault } from './json-fault.js'

/** A row ready to be validated, with what is wrong about it already. */
export interface Row extends Item {
  found?: string[]
}

export interface Slice {
  rows: Row[]
  /** Where the next slice begins; absent: this was the last one. */
  next?: { from: number; row: number }
}

/** A row longer than this is taken for a quote that was never closed. */
const LONGEST_ROW = 8 * 1024 * 1024

/** About 64 slices a file, 16 to 256 kB each: enough steps to watch, few enough to be fast. */
export function sliceSize(size: number): number {
  return Math.min(Math.max(size / 64, 16 * 1024), 256 * 1024) | 0
}

/**
 * Reads whole rows from a place where a row begins.
 * @param from in bytes
 * @param row index of the row that begins there
 * @throws FileFault naming row and column, if the text is malformed
 */
export async function readSlice(file: StoredFile, from: number, row: number): Promise<Slice> {
  const { content } = file
  for (let size = sliceSize(content.size); ; size *= 2) {
    const to = Math.min(from + size, content.size)
    const bytes = new Uint8Array(await content.slice(from, to).arrayBuffer())
    const cut = cutBytes(file, bytes, row === 0, to === content.size)
    const stuck = cut.end === 0 && !cut.complete && !cut.fault
    if (stuck && size < LONGEST_ROW) continue
    if (stuck) cut.fault = { at: 0, message: 'the row is too long: is a quote opened and never closed?' }
    const { rows, fault } = parse(file, cut, row)
    if (fault) throw await malformed(file, row + rows.length, from + fault.at, fault)
    const slice: Slice = { rows }
    if (!cut.complete) slice.next = { from: from + cut.end, row: row + rows.length }
    return slice
  }
}

function cutBytes({ format }: StoredFile, bytes: Uint8Array, first: boolean, last: boolean): Cut {
  return format.kind === 'csv'
    ? cutCsv(bytes, format.delimiter, new TextDecoder(format.encoding), last)
    : cutJson(bytes, format.list, first, last)
}

type Parsed = Pick<Cut, 'fault'> & { rows: Row[] }

function parse({ format, fields }: StoredFile, cut: Cut, row: number): Parsed {
  return format.kind === 'csv'
    ? parseCsv(cut, row, format.delimiter, columnKeys(format.columns, fields))
    : parseJson(cut, row, fields)
}

function parseCsv(cut: Cut, row: number, delimiter: string, keys: readonly string[]): Parsed {
  const rows: Row[] = []
  for (const cells of parseRows(cut.rows, delimiter)) {
    if (cells.every((cell) => cell.trim() === '')) continue // spreadsheets leave such rows behind
    const item: Row = { item_id: row + rows.length, data: recordOf(cells, keys) }
    if (cells.length !== keys.length) {
      const count = cells.length === 1 ? '1 cell' : `${cells.length} cells`
      item.found = [`${count} where the header has ${keys.length}`]
    }
    rows.push(item)
  }
  return cut.fault ? { rows, fault: cut.fault } : { rows }
}

function parseJson(cut: Cut, row: number, fields: Fields): Parsed {
  const rows: Row[] = []
  for (const [index, text] of cut.rows.entries()) {
    try {
      rows.push({ item_id: row + index, data: renamed(JSON.parse(text), fields) })
    } catch {
      const { at, message } = jsonFault(text) ?? { at: 0, message: 'expected a record' }
      const before = new TextEncoder().encode(text.slice(0, at)).length
      return { rows, fault: { at: (cut.starts[index] ?? 0) + before, message } }
    }
  }
  return cut.fault ? { rows, fault: cut.fault } : { rows }
}

async function malformed(
  { name, format, content }: StoredFile,
  row: number,
  at: number,
  fault: NonNullable<Cut['fault']>,
) {
  let place = `row ${row + 1}`
  if (format.kind === 'json') {
    const { line, column } = await placeOf(content, at)
    place += ` (line ${line}, column ${column})`
  } else if (fault.column !== undefined) {
    const column = format.columns[fault.column - 1]?.trim()
    place += `, column ${fault.column}${column ? ` (${column})` : ''}`
  }
  return new FileFault(`${name} can't be read: ${fault.message} (${place}).`)
}

/** Line and column of a byte, from 1. */
async function placeOf(content: Blob, at: number): Promise<{ line: number; column: number }> {
  const before = await content.slice(0, at).text()
  const lines = before.split('\n')
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 }
}
