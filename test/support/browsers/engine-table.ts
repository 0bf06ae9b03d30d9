import type { Reporter, TestModule } from 'vitest/node'

/** What one engine made of one file. */
interface Cell {
  passed: number
  failed: number
  skipped: number
  ms: number
}

const cellOf = (): Cell => ({ passed: 0, failed: 0, skipped: 0, ms: 0 })

/** Notes under the table: what, and what each engine says to it. */
type Notes = Map<string, string[]>

/**
 * Prints engines × files at the end, what tests measured (annotations of type `measured`), and every skipped test with its reason.
 * A skip without one fails the run: nothing is left out in silence.
 */
export const engineTable: Reporter = {
  onTestRunEnd(modules, errors) {
    const cells = new Map<string, Map<string, Cell>>()
    const measured: Notes = new Map()
    const skipped: Notes = new Map()
    const silent: string[] = []
    for (const module of modules) {
      const engine = engineOf(module)
      const cell = cellIn(cells, module.relativeModuleId, engine)
      cell.ms += module.diagnostic().duration
      if (module.state() === 'failed' && module.children.size === 0) cell.failed++
      for (const test of module.children.allTests()) {
        const result = test.result()
        const name = `${module.relativeModuleId} › ${test.fullName.replaceAll(' > ', ' › ')}`
        if (result.state === 'passed') cell.passed++
        else if (result.state === 'failed') cell.failed++
        else {
          cell.skipped++
          // Without a note: left out by a filter on the command line, or by a skip that says nothing.
          const reason = result.state === 'skipped' ? result.note : undefined
          if (reason !== undefined) note(skipped, `${name}: ${reason}`, engine)
          else if (test.options.mode !== 'run') silent.push(`${engine}: ${name}`)
        }
        for (const { type, message } of test.annotations())
          if (type === 'measured') noteMeasured(measured, message, engine)
      }
    }
    const out = ['', 'Engines × files: passed/failed/skipped, seconds', ...table(cells)]
    if (errors.length > 0) out.push(`Errors outside of tests: ${errors.length}`)
    if (measured.size > 0) out.push('', 'Measured:', ...lines(measured))
    if (skipped.size > 0) out.push('', 'Skipped:', ...lines(skipped))
    if (silent.length > 0) {
      process.exitCode = 1
      out.push('', 'Skipped without a reason, which counts as a failure (use skip(condition, reason)):')
      out.push(...silent.map((line) => `  ${line}`))
    }
    console.log(out.join('\n'))
  },
}

const engineOf = (module: TestModule): string => module.project.config.browser.name

function cellIn(cells: Map<string, Map<string, Cell>>, file: string, engine: string): Cell {
  const row = cells.get(file) ?? new Map<string, Cell>()
  cells.set(file, row)
  const cell = row.get(engine) ?? cellOf()
  row.set(engine, cell)
  return cell
}

function note(notes: Notes, what: string, engine: string): void {
  notes.set(what, [...(notes.get(what) ?? []), engine])
}

/** What was measured, a colon, the value. */
function noteMeasured(notes: Notes, message: string, engine: string): void {
  const colon = message.lastIndexOf(': ')
  note(notes, message.slice(0, colon), `${engine} ${message.slice(colon + 2)}`)
}

const lines = (notes: Notes): string[] =>
  [...notes].sort().map(([what, said]) => `  ${said.sort().join(', ')}: ${what}`)

function table(cells: Map<string, Map<string, Cell>>): string[] {
  const engines = [...new Set([...cells.values()].flatMap((row) => [...row.keys()]))].sort()
  const total = new Map(engines.map((engine) => [engine, cellOf()]))
  for (const row of cells.values()) for (const [engine, cell] of row) add(total.get(engine), cell)
  const rows = [...[...cells].sort(([a], [b]) => (a < b ? -1 : 1)), ['all', total] as const]
  const texts = rows.map(([file, row]) => [file, ...engines.map((engine) => text(row.get(engine)))])
  const all = [['', ...engines], ...texts]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? []
  return all.map((row) => row.map((cell, column) => align(cell, column, widths[column] ?? 0)).join('  '))
}

const align = (cell: string, column: number, width: number) =>
  column === 0 ? cell.padEnd(width) : cell.padStart(width)

function add(sum: Cell | undefined, { passed, failed, skipped, ms }: Cell): void {
  if (!sum) return
  sum.passed += passed
  sum.failed += failed
  sum.skipped += skipped
  sum.ms += ms
}

function text(cell: Cell | undefined): string {
  if (!cell) return '–'
  return `${cell.passed}/${cell.failed}/${cell.skipped} ${(cell.ms / 1_000).toFixed(1).padStart(6)}`
}
