// npm run batch                                     the three sample jobs and a performance summary
// npm run batch -- users.csv --out results.json     validates and processes the users of a CSV or JSON file
//
// Everything runs in the built demo page, in a headless Chromium without network: the same queue, IndexedDB and Web Workers.
import { accessSync, constants, existsSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { launch, Refusal } from './browser.js'
import { buildIfStale, serve } from './site.js'
import { count, progressOn } from './terminal.js'

const usage = `Usage: npm run batch [-- FILE [--out RESULTS.json] [--email COLUMN] [--age COLUMN]]

  FILE      users as CSV or JSON; without it the three sample jobs run
  --out     where to write the results; without it only a summary is shown
  --email   the column that holds emails, if it is not called email
  --age     the column that holds ages, if it is not called age`

/** npm runs scripts in the package's folder; a path is meant from where the command was typed. */
const from = process.env.INIT_CWD ?? process.cwd()

try {
  await main()
} catch (error) {
  if (!(error instanceof Refusal)) throw error
  console.error(error.message)
  process.exitCode = 1
}

async function main() {
  const { file, out, email, age } = readArguments()
  await buildIfStale((line) => console.log(line))
  const browser = await launch()
  const site = await serve()
  const progress = progressOn(process.stdout)
  try {
    const page = await browser.newPage()
    page.on('pageerror', (error) => console.error(`In the page: ${error.message}`))
    await page.exposeFunction('sitqProgress', progress.step)
    await page.goto(`${site.origin}/batch.html`)
    if (file === undefined) {
      /** @type {import('../batch-api.js').Samples} */
      const samples = await page.evaluate('sitqBatch.runSamples(sitqProgress)')
      progress.end()
      showSamples(samples)
    } else {
      await page.setInputFiles('#file', file)
      /** @type {import('../batch-api.js').FileOutcome} */
      const outcome = await page.evaluate(`sitqBatch.runFile(${JSON.stringify({ email, age })}, sitqProgress)`)
      progress.end()
      if ('problem' in outcome) throw new Refusal(outcome.problem)
      showUsers(basename(file), outcome.summary, out)
    }
  } finally {
    await browser.close()
    site.close()
  }
}

/** Everything that can be known to go wrong is refused before a browser starts. */
function readArguments() {
  const options = /** @type {const} */ ({
    out: { type: 'string' },
    email: { type: 'string' },
    age: { type: 'string' },
    help: { type: 'boolean' },
  })
  let given
  try {
    given = parseArgs({ options, allowPositionals: true })
  } catch (error) {
    throw new Refusal(`${error instanceof Error ? error.message : error}\n\n${usage}`)
  }
  const { values, positionals } = given
  if (values.help) {
    console.log(usage)
    process.exit(0)
  }
  if (positionals.length > 1) throw new Refusal(`One file at a time, please.\n\n${usage}`)
  const [name] = positionals
  if (name === undefined && values.out !== undefined) throw new Refusal(`--out needs a file to read.\n\n${usage}`)
  return {
    file: name === undefined ? undefined : readable(name),
    out: values.out === undefined ? undefined : writable(values.out),
    email: values.email,
    age: values.age,
  }
}

/** @param {string} name */
function readable(name) {
  const path = resolve(from, name)
  if (!existsSync(path)) throw new Refusal(`${name} does not exist (looked for ${path}).`)
  if (!statSync(path).isFile()) throw new Refusal(`${name} is not a file.`)
  try {
    accessSync(path, constants.R_OK)
  } catch {
    throw new Refusal(`${name} can't be read: permission denied.`)
  }
  return path
}

/** @param {string} name */
function writable(name) {
  const path = resolve(from, name)
  if (!existsSync(dirname(path)))
    throw new Refusal(`${name} can't be written: the folder ${dirname(path)} does not exist.`)
  if (existsSync(path) && !statSync(path).isFile()) throw new Refusal(`${name} can't be written: it is not a file.`)
  return path
}

/**
 * @param {string} name
 * @param {import('../jobs/summary.js').UsersSummary} summary
 * @param {string | undefined} out
 */
function showUsers(name, summary, out) {
  const { errors, ...figures } = summary
  console.log(`\n${name}`)
  showFigures({ ...figures, errors: errors.length })
  if (out !== undefined) {
    writeFileSync(out, `${JSON.stringify(summary, null, 2)}\n`)
    console.log(`\nResults written to ${out}`)
    return
  }
  for (const { row, field, message } of errors.slice(0, 10)) console.log(`  row ${count(row)}: ${message} (${field})`)
  if (errors.length > 10) console.log(`  and ${count(errors.length - 10)} more: add --out results.json for all of them`)
}

/** @param {import('../batch-api.js').Samples} samples */
function showSamples({ users, metrics, large, report }) {
  const { errors, ...figures } = users
  console.log('\nUsers')
  showFigures({ ...figures, errors: errors.length })
  console.log('\nMetrics')
  showFigures({
    batches: metrics.length,
    numbers: metrics.reduce((sum, each) => sum + each.count, 0),
    sum: metrics.reduce((sum, each) => sum + each.sum, 0),
  })
  console.log('\nLarge batch')
  showFigures({ ...large })
  console.log('\nPerformance')
  showFigures({
    'batches processed': report.batchesProcessed,
    'total tasks': report.totalTasks,
    'total time': [report.totalTimeSeconds, 's'],
    'tasks per second': report.tasksPerSecond,
    'average batch time': [report.averageBatchTimeSeconds, 's'],
    'error rate': [report.errorRatePercent, '%'],
  })
}

/** @param {Record<string, number | [number, string]>} figures */
function showFigures(figures) {
  for (const [name, figure] of Object.entries(figures)) {
    const [value, unit] = typeof figure === 'number' ? [figure, ''] : figure
    const text = value.toLocaleString('en', { maximumFractionDigits: 2 })
    console.log(`  ${name.replace(/_/g, ' ').padEnd(20)} ${text} ${unit}`.trimEnd())
  }
}
