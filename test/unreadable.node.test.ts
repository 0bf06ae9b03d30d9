import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { profile } from './support/profile.js'

// Chromium keeps large values as files of their own. What it cannot read costs itself, not the queue.

vi.setConfig({ testTimeout: 60_000 })
const database = 'app'

async function loseFiles(browser: Awaited<ReturnType<typeof profile>>): Promise<void> {
  await browser.stop()
  let lost = 0
  for (const folder of await browser.databaseFolders()) {
    if (!folder.endsWith('.blob')) continue
    for (const name of await readdir(folder)) {
      await rm(join(folder, name), { recursive: true })
      lost++
    }
  }
  expect(lost).toBeGreaterThan(0)
}

test('a large input whose file is gone: its task fails as damaged, the others run', async () => {
  const browser = await profile()
  const before = await browser.open({ database })
  const long = await before.call('enqueueLong')
  const small = await before.call('enqueue', 2)
  await loseFiles(browser)

  const after = await browser.open({ database, worker: true })
  expect(await after.call('result', small)).toBe('completed')
  expect(await after.call('result', await after.call('enqueue', 3))).toBe('completed')
  expect(await after.call('result', long)).toBe('failed')
  expect(await after.call('code', long)).toBe('damaged')
  expect(await after.call('events')).toEqual(['damaged'])
  expect(await after.call('repair')).toMatchObject({ damaged: {} })
})

test('a large outcome whose file is gone: its task has failed as damaged, and that is told once', async () => {
  const browser = await profile()
  const before = await browser.open({ database, worker: true })
  const long = await before.call('enqueueLong')
  expect(await before.call('result', long)).toBe('completed')
  await loseFiles(browser)

  const after = await browser.open({ database, worker: true })
  expect(await after.call('result', long)).toBe('failed')
  expect(await after.call('code', long)).toBe('damaged')
  expect(await after.call('result', await after.call('enqueue', 3))).toBe('completed')
  expect(await after.call('events')).toEqual(['damaged'])
})
