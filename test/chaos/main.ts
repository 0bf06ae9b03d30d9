import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Kind, kinds } from './kills.js'
import { percentiles } from './percentiles.js'
import { type Played, play } from './seed.js'
import { openSite } from './site.js'

const usage = `npm run test:chaos [-- --seed N] [--seeds N] [--kills N] [--tasks N]

  --seed    the first seed; default 1
  --seeds   how many; default 10, or 1 if a seed is given
  --kills   of each seed; default 50
  --tasks   of each seed, about; default 20100
  --only    kinds of kills, with commas: ${kinds.join(', ')}
  --insecure  without a secure context: no locks, all tabs are hosts
  --diary   prints what happened, also where nothing is wrong`

/** Plays the seeds that the command line asks for. Resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  const options = asked(args)
  if (!options) {
    console.log(usage)
    return 2
  }
  const { seed, seeds, kills, tasks, among, secure } = options
  const site = await openSite()
  const all: Played[] = []
  try {
    for (let i = seed; i < seed + seeds; i++) {
      const played = await play(site, { seed: i, kills, tasks, among, secure })
      all.push(played)
      console.log(line(played))
      if (options.diary) console.log(played.diary.lines.join('\n'))
      if (isBad(played))
        console.log(
          story(
            played,
            `npm run test:chaos -- --seed ${i} --kills ${kills} --tasks ${tasks} --only '${among}'${secure ? '' : ' --insecure'}`,
          ),
        )
    }
  } finally {
    await site.close()
  }
  console.log(table(all))
  return all.some(isBad) ? 1 : 0
}

function asked(args: string[]) {
  const number = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  try {
    const { values } = parseArgs({
      args,
      options: { seed: number, seeds: number, kills: number, tasks: number, only: number, diary: flag, insecure: flag },
    })
    const of = (text: string | undefined, otherwise: number) =>
      text === undefined ? otherwise : Math.max(1, Number(text))
    const only = values.only?.split(',') ?? kinds
    return {
      seed: of(values.seed, 1),
      seeds: of(values.seeds, values.seed === undefined ? 10 : 1),
      kills: of(values.kills, 50),
      tasks: of(values.tasks, 20_100),
      among: kinds.filter((kind) => only.includes(kind)),
      diary: values.diary === true,
      secure: values.insecure !== true,
    }
  } catch {
    return undefined
  }
}

/** A database that the browser deletes is nobody's fault; not to notice is the library's. */
const isBad = ({ faults, deletions, reported }: Played) => faults.length > 0 || reported < deletions

function line({ seed, ms, deaths, tasks, executions, again, lost, doubled, faults, deletions }: Played): string {
  const ends = `lost ${lost}, doubled ${doubled}, faults ${faults.length}, databases deleted ${deletions}`
  return `seed ${seed}: ${deaths.length} kills, ${tasks} tasks, ${executions} executions (${again} again), ${ends}, ${(ms / 1000).toFixed(1)} s`
}

/** Where to read on, and how to see it again. */
function story({ seed, diary, faults }: Played, command: string): string {
  const folder = join(tmpdir(), 'sitq-chaos')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `seed-${seed}.log`)
  writeFileSync(file, `${diary.lines.join('\n')}\n`)
  const some = faults.slice(0, 10).map((fault) => `  ${fault}`)
  return [
    ...some,
    ...(faults.length > 10 ? [`  and ${faults.length - 10} more`] : []),
    `  What happened: ${file}`,
    `  Again: ${command}`,
  ].join('\n')
}

function table(all: readonly Played[]): string {
  const sum = (of: (played: Played) => number) => all.reduce((total, played) => total + of(played), 0)
  const rows = kinds.map((kind: Kind) => {
    const times = sum(({ deaths }) => deaths.filter((death) => death.kind === kind).length)
    const pauses = all.flatMap((played) => played.pauses.flatMap((pause) => (pause.kind === kind ? pause.ms : [])))
    const came = (what: 'again' | 'charged') => String(sum((played) => played.came.get(kind)?.[what] ?? 0)).padStart(7)
    return `  ${kind.padEnd(20)} ${String(times).padStart(5)} ${came('again')} ${came('charged')}   ${percentiles(pauses)}`
  })
  const figures = {
    kills: sum(({ deaths }) => deaths.length),
    tasks: sum(({ tasks }) => tasks),
    executions: sum(({ executions }) => executions),
    'of these again': sum(({ again }) => again),
    lost: sum(({ lost }) => lost),
    'doubled outcomes': sum(({ doubled }) => doubled),
    faults: sum(({ faults }) => faults.length),
    'databases deleted': sum(({ deletions }) => deletions),
    'noticed by sitq': sum(({ reported }) => reported),
    'acknowledged in them': sum(({ gone }) => gone),
    seconds: Math.round(sum(({ ms }) => ms) / 1000),
  }
  return [
    '',
    `  ${'killed'.padEnd(20)} times   again charged   until the next execution of anything`,
    ...rows,
    '',
    ...Object.entries(figures).map(
      ([name, figure]) => `  ${name.padEnd(20)} ${figure.toLocaleString('en').padStart(8)}`,
    ),
  ].join('\n')
}
