import { afterAll, beforeAll, expect, test } from 'vitest'
import { rows } from '../bench/rows/index.js'
import { type DemoBrowser, openDemo } from './support/demo-page.js'

let demo: DemoBrowser

beforeAll(async () => {
  demo = await openDemo()
}, 120_000)
afterAll(() => demo?.close())

test('every goal is held against a side of its row, and names are used once', () => {
  for (const { name, ours, others, goals, small, tasks } of rows) {
    const sides = [ours, ...others].map((side) => side.name)
    expect(new Set(sides).size, name).toBe(sides.length)
    expect(small, name).toBeLessThanOrEqual(tasks)
    for (const { as, against } of goals) {
      if (as === 'value') expect(against, name).toBeUndefined()
      else
        expect(
          others.map((side) => side.name),
          name,
        ).toContain(against)
    }
  }
  expect(new Set(rows.map(({ name }) => name)).size).toBe(rows.length)
})

test('rows run in anyone’s browser: each is measured against its baseline, and the numbers can be taken along', {
  timeout: 60_000,
}, async () => {
  const { page, complaints } = await demo.newPage({ width: 390, height: 844 })
  await page.getByRole('link', { name: 'How fast is it on this device?' }).click()
  const boxes = page.locator('#rows input')
  // All but those that need a runner.
  await expect
    .poll(() => boxes.evaluateAll((all) => all.map((box) => box.getAttribute('value'))))
    .toEqual(rows.filter(({ runner }) => runner === undefined).map(({ name }) => name))
  for (const box of await boxes.all()) await box.setChecked((await box.getAttribute('value')) === 'drain')
  await page.locator('#rounds').fill('2')
  await page.locator('#factor').fill('0.1')
  await page.getByRole('button', { name: 'Measure' }).click()
  await page.getByText('Done.', { exact: true }).waitFor({ timeout: 40_000 })
  const verdict = page.locator('#table li')
  await expect
    .poll(() => verdict.innerText())
    .toMatch(/^(met|missed)\s*[\d.]+× µs\/task, times faster than one record each, inline \(.+\); goal ≥ 15×$/)
  expect(await page.locator('#table .bar').count()).toBe(2)
  const { results } = JSON.parse(await page.locator('#json').inputValue())
  expect(results).toHaveLength(1)
  expect(results[0].sides.map(({ tasks }: { tasks: number }) => tasks)).toEqual([1_000, 1_000])
  expect(results[0].verdicts[0].values).toHaveLength(2)
  // As wide as the screen: what is wider scrolls in its box.
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
  expect(complaints).toEqual([])
  await page.context().close()
})
