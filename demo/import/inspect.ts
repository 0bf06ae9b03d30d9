import Papa from 'papaparse'
import { cutCsv } from './cut-csv.js'
import { cutJson } from './cut-json.js'
import { FileFault } from './fault.js'

/** How to read a file. Plain data: it is stored with the file, so that every slice is read in the same way. */
export type Format =
  | { kind: 'csv'; encoding: string; delimiter: string; columns: string[]; start: number }
  | { kind: 'json'; list: 'list' | 'lines'; columns: string[]; start: number }

/** So much is looked at before a file is taken. Its first record must lie within. */
const SAMPLE = 256 * 1024

/** Looks at the beginning of a file and tells how to read it. Throws FileFault if it is nothing to be read. */
export async function inspect(file: Blob, name: string): Promise<Format> {
  const bytes = new Uint8Array(await file.slice(0, SAMPLE).arrayBuffer())
  const whole = file.size <= bytes.length
  const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    throw new FileFault(`${name} is UTF-16 text. Save it as UTF-8 and try again.`)
  }
  if (bytes.includes(0)) throw new FileFault(`${name} is no text: CSV or JSON is needed.`)
  const text = new TextDecoder().decode(bytes.subarray(start), { stream: !whole }).trimStart()
  if (text === '') throw new FileFault(`${name} is empty.`)
  return text.startsWith('[') || text.startsWith('{')
    ? inspectJson(bytes.subarray(start), start, name, whole)
    : inspectCsv(bytes.subarray(start), start, name, whole)
}

function inspectCsv(bytes: Uint8Array, start: number, name: string, whole: boolean): Format {
  const encoding = encodingOf(bytes, whole)
  const decoder = new TextDecoder(encoding)
  const delimiter = delimiterOf(decoder.decode(bytes))
  const cut = cutCsv(bytes, delimiter, decoder, whole)
  const [header] = cut.rows
  const [, second] = cut.starts
  if (header === undefined) {
    const why = cut.fault ? `${cut.fault.message} (header row, column ${cut.fault.column})` : 'its first row has no end'
    throw new FileFault(`${name} can't be read: ${why}.`)
  }
  const columns = parseRow(header, delimiter)
  return { kind: 'csv', encoding, delimiter, columns, start: start + (second ?? cut.end) }
}

function inspectJson(bytes: Uint8Array, start: number, name: string, whole: boolean): Format {
  const open = bytes.findIndex((byte) => byte === 0x5b || byte === 0x7b)
  const list = bytes[open] === 0x5b ? 'list' : 'lines'
  const from = list === 'list' ? open + 1 : open
  const { rows } = cutJson(bytes.subarray(from), list, true, whole)
  if (list === 'lines' && rows.length === 1 && rows[0]?.includes('\n')) {
    throw new FileFault(`${name} holds one JSON object. A list of records is needed: [{ … }, { … }].`)
  }
  const columns = new Set<string>()
  for (const row of rows.slice(0, 100)) {
    try {
      const record: unknown = JSON.parse(row)
      if (typeof record === 'object' && record !== null) for (const key of Object.keys(record)) columns.add(key)
    } catch {
      break // the import says where and why
    }
  }
  return { kind: 'json', list, columns: [...columns], start: start + from }
}

/** UTF-8 unless the bytes can't be; then what spreadsheets in the West write. */
function encodingOf(bytes: Uint8Array, whole: boolean): string {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: !whole })
    return 'utf-8'
  } catch {
    return 'windows-1252'
  }
}

function delimiterOf(sample: string): string {
  const { meta } = Papa.parse(sample, { preview: 20, skipEmptyLines: true, delimitersToGuess: [',', ';', '\t', '|'] })
  return meta.delimiter || ','
}

function parseRow(row: string, delimiter: string): string[] {
  return parseRows([row], delimiter)[0] ?? []
}

/** The cells of whole rows. Their ends were found by `cutCsv`: none is malformed. */
export function parseRows(rows: readonly string[], delimiter: string): string[][] {
  return Papa.parse<string[]>(rows.join('\n'), { delimiter, newline: '\n', header: false }).data
}
