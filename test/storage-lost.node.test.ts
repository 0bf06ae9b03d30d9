import { readdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { profile } from './support/profile.js'

// A real browser on a real profile, whose files are meddled with while it does not run.

vi.setConfig({ testTimeout: 60_000 })
const database = 'app'

test('a profile whose IndexedDB folder is gone: noticed at the next start, told once', async () => {
  const browser = await profile()
  const before = await browser.open({ database, worker: true })
  const id = await before.call('enqueue', 1)
  expect(await before.call('result', id)).toBe('completed')
  await browser.stop()
  for (const folder of await browser.databaseFolders()) await rm(folder, { recursive: true })

  const after = await browser.open({ database, worker: true })
  expect(await after.call('result', id)).toBe('not-found')
  expect(await after.call('events')).toEqual(['deleted'])
  expect(await after.call('result', await after.call('enqueue', 2))).toBe('completed')
  await browser.stop()

  const later = await browser.open({ database })
  expect(await later.call('counts')).toMatchObject({ completed: 1 })
  expect(await later.call('events')).toEqual([])
})

test('garbage in the database files: Chromium deletes the database, and that is told', async () => {
  const browser = await profile()
  const before = await browser.open({ database })
  for (let i = 0; i < 3; i++) await before.call('enqueue', i)
  await browser.stop()
  for (const folder of await browser.databaseFolders()) {
    for (const file of await readdir(folder)) await writeFile(join(folder, file), 'this is no database')
  }
  const after = await browser.open({ database, worker: true })
  const id = await after.call('enqueue', 1)
  expect(await after.call('result', id)).toBe('completed')
  expect(await after.call('counts')).toMatchObject({ completed: 1, available: 0 })
  expect(await after.call('events')).toEqual(['deleted'])
})

test('a folder where no database can be: memory where the app chose that, and all of it back afterwards', async () => {
  const browser = await profile()
  const before = await browser.open({ database })
  const id = await before.call('enqueue', 1)
  await browser.stop()
  const [folder = ''] = await browser.databaseFolders()
  await rename(folder, `${folder}.aside`)
  await writeFile(folder, 'a file, where the database had its folder')

  const after = await browser.open({ database, worker: true, fallback: 'memory' })
  expect(await after.call('events')).toEqual(['memory'])
  expect(await after.call('result', await after.call('enqueue', 1))).toBe('completed')
  expect(await after.call('result', id)).toBe('not-found')
  await browser.stop()

  await rm(folder)
  await rename(`${folder}.aside`, folder)
  const healed = await browser.open({ database, worker: true })
  expect(await healed.call('result', id)).toBe('completed')
  expect(await healed.call('events')).toEqual([])
})
