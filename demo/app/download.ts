import Papa from 'papaparse'

/** Rows to a part of the file: few enough to be one string, enough to be quick. */
const PART = 2_000

/** A file made of rows as they come; only text of a part at a time is held beside the Blob. */
export async function saveJson(name: string, rows: AsyncIterable<object>): Promise<void> {
  const parts: BlobPart[] = []
  for await (const some of chunks(rows)) {
    parts.push(`${parts.length === 0 ? '[\n' : ',\n'}${some.map((row) => JSON.stringify(row)).join(',\n')}`)
  }
  save(name, new Blob([...(parts.length === 0 ? ['['] : parts), '\n]\n'], { type: 'application/json' }))
}

/** The same as CSV, with the columns of the first row. Nested values are written as JSON text. */
export async function saveCsv(name: string, rows: AsyncIterable<object>): Promise<void> {
  const parts: BlobPart[] = []
  let columns: string[] | undefined
  for await (const some of chunks(rows)) {
    const header = columns === undefined
    columns ??= Object.keys(some[0] ?? {})
    // Text that a spreadsheet would run as a formula is escaped.
    parts.push(`${Papa.unparse(some.map(flat), { columns, header, escapeFormulae: true })}\r\n`)
  }
  save(name, new Blob(parts, { type: 'text/csv' }))
}

function flat(row: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, typeof value === 'object' ? JSON.stringify(value) : value]),
  )
}

async function* chunks(rows: AsyncIterable<object>): AsyncGenerator<object[]> {
  let some: object[] = []
  for await (const row of rows) {
    some.push(row)
    if (some.length === PART) {
      yield some
      some = []
    }
  }
  if (some.length > 0) yield some
}

function save(name: string, content: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(content)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}
