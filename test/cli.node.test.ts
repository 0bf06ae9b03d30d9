import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prepareChromium } from '../scripts/chromium.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const slow = { timeout: 120_000 }
let folder = ''

beforeAll(async () => {
  await prepareChromium()
  folder = await mkdtemp(join(tmpdir(), 'sitq-cli-'))
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Runs `npm run batch`, typed in the temporary folder. */
function batch(args: string[] = [], env: Record<string, string> = {}) {
  return new Promise<{ code: number | null; out: string; error: string }>((resolve, reject) => {
    // INIT_CWD is where npm was called; the script itself always runs in the package's folder.
    const child = spawn(process.execPath, [join(root, 'demo/cli/batch.js'), ...args], {
      cwd: root,
      env: { ...process.env, INIT_CWD: folder, ...env },
    })
    let out = ''
    let error = ''
    child.stdout.on('data', (data) => {
      out += data
    })
    child.stderr.on('data', (data) => {
      error += data
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, error }))
  })
}

const file = (name: string, text: string) => writeFile(join(folder, name), text)

test('the three sample jobs and the performance summary', slow, async () => {
  const { code, out, error } = await batch()
  expect(error).toBe('')
  expect(code).toBe(0)
  expect(out).toMatch(/Validating|Processing/)
  for (const line of [
    /total users +20\n/,
    /valid users +12\n/,
    /success rate +0\.6\n/,
    /processed users +12\n/,
    /batches +15\n/,
    /sum of values +9,900\n/,
    /batches processed +3\n/,
    /total tasks +135\n/,
    /total time +[\d.]+ s\n/,
    /error rate +0 %\n/,
  ]) {
    expect(out).toMatch(line)
  }
})

test('a file in, results out', slow, async () => {
  await file('users.csv', 'Name,EMAIL,Age\nAnn,a@x.org,30\nBob,bob,20\n"Cat, the",c@x.org,151\nDan,d@x.org\n')
  const { code, out, error } = await batch(['users.csv', '--out', 'results.json'])
  expect(error).toBe('')
  expect(code).toBe(0)
  expect(out).toContain('Results written to')
  expect(JSON.parse(await readFile(join(folder, 'results.json'), 'utf8'))).toEqual({
    total_users: 4,
    valid_users: 1,
    processed_users: 1,
    success_rate: 0.25,
    errors: [
      { row: 2, field: 'email', message: 'Invalid email format' },
      { row: 3, field: 'age', message: 'Invalid age' },
      { row: 4, field: 'row', message: '2 cells where the header has 3' },
    ],
  })
})

test('JSON, with columns of other names', slow, async () => {
  await file('users.json', '[{"mail":"a@x.org","years":3},{"mail":"b","years":-1}]')
  const { code, out } = await batch(['users.json', '--email', 'Mail', '--age', 'years'])
  expect(code).toBe(0)
  expect(out).toMatch(/total users +2\n/)
  expect(out).toContain('row 2: Invalid age (age)')
})

describe('is refused with words and a code', () => {
  test('a missing file', slow, async () => {
    const { code, error } = await batch(['nowhere.csv'])
    expect(code).toBe(1)
    expect(error).toContain('nowhere.csv does not exist')
  })

  test('a malformed file', slow, async () => {
    await file('bad.csv', 'name,email\nAnn,a@x.org\nBob,"b@x.org\n')
    const { code, error } = await batch(['bad.csv', '--out', 'bad.json'])
    expect(code).toBe(1)
    expect(error).toBe("bad.csv can't be read: a quote is opened and never closed (row 2, column 2 (email)).\n")
    await expect(readFile(join(folder, 'bad.json'))).rejects.toThrow('ENOENT')
  })

  test('columns that can not be told', slow, async () => {
    await file('other.csv', 'a,b\n1,2\n')
    const { code, error } = await batch(['other.csv'])
    expect(code).toBe(1)
    expect(error).toContain('Its columns are: a, b. Name them with --email and --age.')
  })

  test('a folder to write to that is not there, and an option that does not exist', slow, async () => {
    await file('users.csv', 'email\na@x\n')
    expect(await batch(['users.csv', '--out', 'no/where.json'])).toMatchObject({ code: 1 })
    const { code, error } = await batch(['--fast'])
    expect(code).toBe(1)
    expect(error).toContain('Usage: npm run batch')
  })

  test('no browser', slow, async () => {
    const { code, error } = await batch([], { CHROMIUM_BIN: '/no/such/chromium' })
    expect(code).toBe(1)
    expect(error).toContain('No browser could be started')
    expect(error).toContain('CHROMIUM_BIN')
  })
})
