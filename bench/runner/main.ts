/** `npm run bench`, `npm run bench:quick`. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { buildIfStale, serve } from '../../demo/cli/site.js'
import type { Row } from '../contract.js'
import { lines, markdown } from '../report.js'
import { type RowResult, runRow } from '../rounds.js'
import { rows } from '../rows/index.js'
import { type Asked, askedFor } from './arguments.js'
import { opener } from './browser.js'
import { isolated, together } from './measuring.js'
import { type NodeRow, nodeRows } from './node-rows.js'

/** Isolated from other origins, a page may read its clock to 5 µs; otherwise to 100. */
const fineClock = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' }

const say = (line: string) => console.log(line)
/** One line that is written over, where someone looks on. */
const progress = (line: string) => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`)
}

export async function main(args: string[]): Promise<void> {
  const all: readonly (Row | NodeRow)[] = [...rows, ...nodeRows]
  const asked = askedFor(
    args,
    all.map(({ name }) => name),
  )
  if (asked.table.length > 0) return printTable(asked.table)
  await buildIfStale(say)
  const site = await serve(fineClock)
  try {
    const open = await opener(asked.browser, `${site.origin}/bench.html`)
    const measuring = asked.quick ? await together(open) : isolated(open)
    const results: RowResult[] = []
    try {
      for (const row of all) {
        const tasks = sizeOf(row, asked)
        if (tasks === undefined) continue
        const result = await runRow(row, {
          rounds: asked.rounds,
          tasks,
          say: progress,
          measure: (side, load) =>
            !('page' in row)
              ? measuring.measure(row, side, load)
              : side === row.ours
                ? measuring.measure(row.page, side, load)
                : side.measure(load),
        })
        progress('')
        results.push(result)
        for (const line of lines(result)) say(line)
        if (!asked.quick) write(asked, results)
      }
    } finally {
      await measuring.close()
    }
    if (asked.quick) judgeCollapses(results)
    else say(`Written to ${asked.out}.`)
  } finally {
    site.close()
  }
}

function printTable(files: readonly string[]): void {
  // Written by `write` below.
  const results: RowResult[] = files.flatMap((file) => JSON.parse(readFileSync(file, 'utf8')).results)
  for (const line of markdown(results)) say(line)
}

function sizeOf(row: Row, { only, tasks, quick }: Asked): number | undefined {
  if (only.length > 0 && !only.includes(row.name)) return undefined
  if (!quick) return tasks ?? row.tasks
  return row.quick && (tasks ?? row.quick)
}

function judgeCollapses(results: readonly RowResult[]): void {
  const collapsed = results.flatMap(({ row, verdicts }) =>
    verdicts
      .filter((verdict) => verdict.collapsed)
      .map(
        ({ goal, value }) => `${row}: ${goal.metric} ${goal.as} ${value.median} where ${goal.collapse} is the limit`,
      ),
  )
  if (collapsed.length > 0) process.exitCode = 1
  say(collapsed.length === 0 ? 'No collapse.' : `COLLAPSED\n${collapsed.map((line) => `  ${line}`).join('\n')}`)
}

function write({ browser, out, rounds }: Asked, results: readonly RowResult[]): void {
  const machine = { cores: cpus().length, model: cpus()[0]?.model, memory: totalmem(), node: process.version }
  writeFileSync(
    out,
    `${JSON.stringify({ date: new Date().toISOString(), browser, machine, rounds, results }, undefined, 2)}\n`,
  )
}
