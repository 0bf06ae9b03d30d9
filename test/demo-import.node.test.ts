import { describe, expect, test } from 'vitest'
import { FileFault } from '../demo/import/fault.js'
import { findFields, needsMapping } from '../demo/import/fields.js'
import { files, type StoredFile } from '../demo/import/files.js'
import { inspect } from '../demo/import/inspect.js'
import { type Row, readSlice, sliceSize } from '../demo/import/slice.js'

/** A file as the page would store it. */
async function stored(content: BlobPart, name = 'users.csv', fields = {}): Promise<StoredFile> {
  const blob = new Blob([content])
  const format = await inspect(blob, name)
  return { id: 'f', name, content: blob, format, fields: { ...findFields(format.columns), ...fields } }
}

/** All rows, read slice by slice as the chain of tasks does; and how many slices it took. */
async function rowsOf(file: StoredFile): Promise<{ rows: Row[]; slices: number }> {
  const rows: Row[] = []
  let slices = 0
  for (let at: { from: number; row: number } | undefined = { from: startOf(file), row: 0 }; at; slices++) {
    const slice = await readSlice(file, at.from, at.row)
    rows.push(...slice.rows)
    at = slice.next
  }
  return { rows, slices }
}

const startOf = ({ format }: StoredFile) => format.start
const dataOf = async (...args: Parameters<typeof stored>) =>
  (await rowsOf(await stored(...args))).rows.map((r) => r.data)

async function faultOf(...args: Parameters<typeof stored>): Promise<string> {
  try {
    await rowsOf(await stored(...args))
  } catch (error) {
    if (error instanceof FileFault) return error.message
    throw error
  }
  throw new Error('The file was read.')
}

describe('CSV', () => {
  test('headers match without regard to case, ages are numbers, empty cells are missing', async () => {
    expect(await dataOf('Name, EMAIL ,Age,City\nAnn,a@x.org,30,Rome\nBob,,,\nCat,c@x.org,old,\n')).toEqual([
      { name: 'Ann', email: 'a@x.org', age: 30, City: 'Rome' },
      { name: 'Bob' },
      { name: 'Cat', email: 'c@x.org', age: 'old' },
    ])
  })

  test.each([
    ['with a byte order mark', '\ufeffemail,age\na@x,1\n'],
    ['with CRLF', 'email,age\r\na@x,1\r\n'],
    ['with CR', 'email,age\ra@x,1\r'],
    ['without a last line end', 'email,age\na@x,1'],
    ['with mixed line ends and blank rows', '\r\nemail,age\r\n\n\n,\na@x,1\r\n \n'],
    ['with semicolons', 'email;age\na@x;1\n'],
    ['with tabs', 'email\tage\na@x\t1\n'],
    ['all quoted', '"email","age"\r\n"a@x","1"\r\n'],
    ['quoted with blanks after the quote', '"email" ,"age" \n"a@x" ,"1"\n'],
  ])('is read %s', async (_, text) => {
    expect(await dataOf(text)).toEqual([{ email: 'a@x', age: 1 }])
  })

  test('of old spreadsheets is read as windows-1252', async () => {
    const bytes = Uint8Array.from('name,age\nJos\u00e9,3\n', (char) => char.charCodeAt(0))
    expect(await dataOf(bytes)).toEqual([{ name: 'José', age: 3 }])
  })

  test('quotes hold delimiters, line ends and quotes', async () => {
    expect(await dataOf('name,email\n"A, ""B""\r\nC",a@x\n5" pipe,b@x\n')).toEqual([
      { name: 'A, "B"\r\nC', email: 'a@x' },
      { name: '5" pipe', email: 'b@x' },
    ])
  })

  test('a row with more or fewer cells than the header is an error of its own', async () => {
    const { rows } = await rowsOf(await stored('email,age\na@x\nb@x,2,3\nc@x,3\n'))
    expect(rows).toEqual([
      { item_id: 0, data: { email: 'a@x' }, found: ['1 cell where the header has 2'] },
      { item_id: 1, data: { email: 'b@x', age: 2, 'column 3': '3' }, found: ['3 cells where the header has 2'] },
      { item_id: 2, data: { email: 'c@x', age: 3 } },
    ])
  })

  test('a second column of the same name keeps its cells', async () => {
    expect(await dataOf('email,Email,age,\na@x,b@x,1,z\n')).toEqual([
      { email: 'a@x', 'Email 2': 'b@x', age: 1, 'column 4': 'z' },
    ])
  })

  test('a file with neither column asks for a mapping, and is read with it', async () => {
    const text = 'Mail,Years\na@x,1\n'
    expect(needsMapping(findFields(['Mail', 'Years']))).toBe(true)
    expect(needsMapping(findFields(['AGE']))).toBe(false)
    expect(await dataOf(text, 'users.csv', { email: 'Mail', age: 'Years' })).toEqual([{ email: 'a@x', age: 1 }])
  })

  test('slices together hold every row once, also where quotes cross them', async () => {
    const line = (i: number) =>
      `user ${i},"multi\nline ""${i}"", ${'é'.repeat(i % 40)}",u${i}@example.com,${i % 90}\r\n`
    const text = `name,note,email,age\r\n${Array.from({ length: 4_000 }, (_, i) => line(i)).join('')}`
    const file = await stored(text)
    const { rows, slices } = await rowsOf(file)
    expect(slices).toBeGreaterThan(10)
    expect(rows.map((row) => row.item_id)).toEqual(Array.from({ length: 4_000 }, (_, i) => i))
    expect(rows.every(({ data }, i) => JSON.stringify(data).includes(`"u${i}@example.com"`))).toBe(true)
    expect(rows.some((row) => row.found)).toBe(false)
  })

  test('a row longer than a slice is read whole', async () => {
    const long = 'x'.repeat(100_000)
    expect(await dataOf(`name,age\n"${long}",1\nb,2\n`)).toEqual([
      { name: long, age: 1 },
      { name: 'b', age: 2 },
    ])
  })

  test('malformed names row and column', async () => {
    expect(await faultOf('name,email,age\nAnn,a@x,1\nBob,"b@x,2\nCat,c@x,3\n')).toBe(
      "users.csv can't be read: a quote is opened and never closed (row 2, column 2 (email)).",
    )
    expect(await faultOf('name,email\nAnn,"a@x" or b@x\n')).toBe(
      "users.csv can't be read: there is text after the closing quote (row 1, column 2 (email)).",
    )
    const many = `name,email\n${'Ann,a@x\n'.repeat(20_000)}Bob,"b"x\n`
    expect(await faultOf(many)).toContain('(row 20001, column 2 (email))')
    expect(await faultOf('"name,email\nAnn,a@x\n')).toContain('(header row, column 1)')
  })

  test.each([
    ['', 'is empty'],
    [' \n', 'is empty'],
    [new Uint8Array([0x50, 0x4b, 0, 0, 1]), 'is no text'],
    [new Uint8Array([0xff, 0xfe, 0x61, 0]), 'UTF-16'],
  ])('%j is refused', async (content, why) => {
    expect(await faultOf(content)).toContain(why)
  })

  test('a header alone has no rows', async () => {
    expect(await dataOf('email,age\n')).toEqual([])
    expect(await dataOf('email,age')).toEqual([])
  })
})

describe('JSON', () => {
  test.each([
    ['a list', '[{"EMAIL":"a@x","age":1},{"email":"b@x","City":"Rome"}]'],
    ['a list over lines', '\ufeff [\n  {"EMAIL": "a@x", "age": 1},\r\n  {"email": "b@x", "City": "Rome"}\n]\n'],
    ['JSON Lines', '{"EMAIL":"a@x","age":1}\n{"email":"b@x","City":"Rome"}\n'],
  ])('%s is read', async (_, text) => {
    expect(await dataOf(text, 'users.json')).toEqual([
      { email: 'a@x', age: 1 },
      { email: 'b@x', City: 'Rome' },
    ])
  })

  test('what is no record stays what it is', async () => {
    expect(await dataOf('[1,"a,]\\"",null,[2],{"a":"}"}]', 'users.json')).toEqual([1, 'a,]"', null, [2], { a: '}' }])
    expect(await dataOf('[]', 'users.json')).toEqual([])
  })

  test('slices together hold every record once', async () => {
    const list = Array.from({ length: 5_000 }, (_, i) => ({ email: `u${i}@x`, note: '[{",\\'.repeat(i % 5) }))
    for (const text of [
      JSON.stringify(list),
      JSON.stringify(list, null, 2),
      list.map((r) => JSON.stringify(r)).join('\n'),
    ]) {
      const { rows, slices } = await rowsOf(await stored(text, 'users.json'))
      expect(slices).toBeGreaterThan(5)
      expect(rows.map((row) => row.data)).toEqual(list)
    }
  })

  test.each([
    ['[{"a":1},\n  {"a" 2}]', 'expected : (row 2 (line 2, column 8))'],
    ['[{"a":1}\n {"a":2}]', 'expected , or ] after the record (row 2 (line 2, column 2))'],
    ['[{"a":1},]', 'expected a record (row 2 (line 1, column 10))'],
    ['[{"a":1},{"a":2}', 'the list is not closed: ] is missing (row 3 (line 1, column 17))'],
    ['[{"a":01}]', 'expected value (row 1 (line 1, column 7))'],
    ['[{"a":"x\ny"}]', 'expected value (row 1 (line 1, column 7))'],
    ['[{"a":1},{"a":', 'the record is not closed (row 2 (line 1, column 10))'],
    ['[{"a":1}] x', 'there is text after the end of the list (row 2 (line 1, column 11))'],
    ['[{"é":1},{"é":tru}]', 'expected value (row 2 (line 1, column 15))'],
    ['{"a":1}\n{a:2}', 'expected name or } (row 2 (line 2, column 2))'],
  ])('%s is malformed', async (text, message) => {
    expect(await faultOf(text, 'users.json')).toBe(`users.json can't be read: ${message}.`)
  })

  test('one object is no list', async () => {
    expect(await faultOf('{\n "users": []\n}', 'users.json')).toContain('holds one JSON object')
  })
})

test('slices are 16 to 256 kB', () => {
  expect(sliceSize(10)).toBe(16 * 1024)
  expect(sliceSize(4 * 1024 * 1024)).toBe(64 * 1024)
  expect(sliceSize(10 ** 9)).toBe(256 * 1024)
})

test('a stored file is found again until it is removed', async () => {
  const file = await stored('email\na@x\n')
  await files.save(file)
  expect(await (await files.find('f'))?.content.text()).toBe('email\na@x\n')
  await files.remove('f')
  expect(await files.find('f')).toBeUndefined()
})
