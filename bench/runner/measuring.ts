/** One round of one side in a browser. */
import { type Load, NotHereError, type Row, type Sample, type Side } from '../contract.js'
import type { Measured } from '../rows/page.js'
import { freshProfile, type Open, type OpenedBench } from './browser.js'

export interface Measuring {
  measure(row: Row, side: Side, load: Load): Promise<Sample>
  /** Removes what was kept for the rounds of a row. */
  close(): Promise<void>
}

/**
 * Each round in a browser that was started for it, on a profile of its own: nothing that a round before left is compacted in the
 * next one's time. A side that prepares something finds that profile again.
 */
export function isolated(open: Open): Measuring {
  const kept = new Map<string, Awaited<ReturnType<typeof freshProfile>>>()
  return {
    async measure(row, side, load) {
      const key = JSON.stringify([row.name, side.name])
      let profile = kept.get(key)
      if (side.prepare && !profile) {
        profile = await freshProfile()
        kept.set(key, profile)
        await inBrowser(open, profile.folder, (page) => page.evaluate(call('prepare', row, side, load)))
      }
      const own = profile ?? (await freshProfile())
      try {
        return await inBrowser(open, own.folder, (page) => sampleOf(page, row, side, load))
      } finally {
        if (!profile) await own.remove()
      }
    },
    async close() {
      for (const profile of kept.values()) await profile.remove()
      kept.clear()
    },
  }
}

/** All rounds in one page, each on a database of its own, as on the bench page: quicker, and less exact. */
export async function together(open: Open): Promise<Measuring> {
  const profile = await freshProfile()
  const page = await open(profile.folder)
  const prepared = new Set<Side>()
  return {
    async measure(row, side, load) {
      if (side.prepare && !prepared.has(side)) await page.evaluate(call('prepare', row, side, load))
      prepared.add(side)
      return sampleOf(page, row, side, load)
    },
    async close() {
      await page.close()
      await profile.remove()
    },
  }
}

async function inBrowser<T>(open: Open, profile: string, work: (page: OpenedBench) => Promise<T>): Promise<T> {
  const page = await open(profile)
  try {
    return await work(page)
  } finally {
    await page.close()
  }
}

async function sampleOf(page: OpenedBench, row: Row, side: Side, load: Load): Promise<Sample> {
  const measured = await within(page.evaluate<Measured>(call('measure', row, side, load)), `${row.name}, ${side.name}`)
  if ('notHere' in measured) throw new NotHereError(measured.notHere)
  return measured.sample
}

/** In ms; a round that takes longer never ends. */
const LONGEST = 15 * 60_000

async function within<T>(work: Promise<T>, what: string): Promise<T> {
  const limit = Number(process.env.BENCH_LIMIT ?? LONGEST)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${limit / 1_000} s.`)), limit)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const call = (name: 'prepare' | 'measure', row: Row, side: Side, { tasks }: Load) =>
  `globalThis.sitqBench.${name}(${[row.name, side.name, tasks].map((each) => JSON.stringify(each)).join()})`
