import type { Books } from './books.js'
import type { Living, Scene } from './scene.js'
import type { Seeded } from './seeded.js'
import { SPIN_TIMEOUT } from './work.js'

/** What dies, and how. */
export type Kill = { target: 'host' | 'other'; which: number } & (
  | { kind: 'web worker'; how: 'terminate' | 'close' | 'break' }
  /** A handler that never ends, at its first attempts: its Web Worker is killed by the library. */
  | { kind: 'spin'; key: string; bad: number }
  | { kind: 'close' | 'reload' | 'crash' }
  /** For so many ms. */
  | { kind: 'freeze'; ms: number }
  /** Until another tab has stolen its lock. `midway`: at any moment, in the middle of a transaction too. */
  | { kind: 'freeze till stolen'; midway: boolean }
  | { kind: 'steal' }
  | { kind: 'browser' }
)
export type Kind = Kill['kind']

/** What was killed when, in ms since the epoch, by this process's clock. */
export interface Death {
  kind: Kind
  from: number
  to: number
  /** The page's; undefined: all, or whoever was host. */
  life?: string
  /** The number of the Web Worker in it. */
  worker?: number
  what: string
}

/** How often each comes in about fifty. */
const weights: Record<Kind, number> = {
  'web worker': 10,
  spin: 6,
  close: 6,
  reload: 7,
  crash: 6,
  freeze: 5,
  'freeze till stolen': 1,
  steal: 5,
  browser: 4,
}
export const kinds: readonly Kind[] = [
  'web worker',
  'spin',
  'close',
  'reload',
  'crash',
  'freeze',
  'freeze till stolen',
  'steal',
  'browser',
]

/** Those that take a lock. */
export const lockKinds: readonly Kind[] = ['freeze till stolen', 'steal']

/** The kills of a seed, in order. Each of `among` comes in its proportion, and once at least if there are so many. */
export function killsOf(count: number, random: Seeded, among: readonly Kind[], locks = true): Kill[] {
  const sum = among.reduce((total, kind) => total + weights[kind], 0)
  const bag = among.flatMap((kind) =>
    Array.from({ length: Math.max(1, Math.round((weights[kind] * count) / sum)) }, () => kind),
  )
  while (bag.length < count) bag.push(random.pick(among))
  return random
    .shuffled(bag)
    .slice(0, count)
    .map((kind, i) => killOf(kind, i, random, locks))
}

function killOf(kind: Kind, i: number, random: Seeded, locks: boolean): Kill {
  const at = { target: random.chance(0.75) ? 'host' : 'other', which: random.whole(0, 7) } as const
  if (kind === 'web worker') {
    // Without locks nobody notices that somebody else has terminated it; apps do not do that.
    const how = random.pick(['terminate', 'close', 'break'] as const)
    return { ...at, kind, how: how === 'terminate' && !locks ? 'close' : how }
  }
  if (kind === 'spin') return { ...at, kind, key: `spin-${i}`, bad: random.whole(1, 2) }
  if (kind === 'freeze') return { ...at, kind, ms: random.whole(50, 2_000) }
  // A frozen page's open transactions keep everyone waiting until Chromium aborts them, after 60 s each: seldom is enough.
  if (kind === 'freeze till stolen') return { ...at, kind, midway: random.chance(0.2) }
  return { ...at, kind }
}

/**
 * How long a frozen host may keep its role, in ms: a lease, and 60 s for each transaction that it had open. An exchange, an
 * import, a pipeline's input and a single task may be under way at once.
 */
const STOLEN_WITHIN = 30_000 + 4 * 60_000 + 20_000

/** A host may be between two tenures, or its Web Workers between two lives: so long, in ms, that passes … */
const NOTHING_YET = 5_000
/** … and this often it is looked at again. */
const LOOK_AGAIN = 50

/**
 * Does it as soon as there is something to kill. If there is nothing for long, a tab is closed instead: of those there is
 * always one, and as many kills are made as were asked for.
 */
export async function perform(kill: Kill, scene: Scene): Promise<Death> {
  for (const end = Date.now() + NOTHING_YET; Date.now() < end; ) {
    const death = await tryTo(kill, scene)
    if (death) return death
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN))
  }
  const { target, which } = kill
  const death = await tryTo({ kind: 'close', target, which }, scene)
  if (!death) throw new Error(`There is nothing to kill: no ${kill.kind}, and no tab.`)
  return death
}

/** undefined if there was nothing to kill: then nothing was done. */
async function tryTo(kill: Kill, scene: Scene): Promise<Death | undefined> {
  const victim = victimOf(kill, scene)
  const from = Date.now()
  if (kill.kind === 'browser') {
    await scene.kill()
    return { kind: kill.kind, from, to: Date.now(), what: 'every process' }
  }
  if (!victim) return undefined
  const life = scene.lifeOf(victim)
  const who = `${life}, ${scene.books.roles.get(life) ?? 'stopped'}`
  const struck = await strike(kill, scene, victim)
  if (!struck) return undefined
  const { what = '', ...more } = struck
  // Whoever had the lock lost it.
  const whose = kill.kind === 'steal' ? {} : { life }
  return { kind: kill.kind, from, to: Date.now(), what: `${who}${what}`, ...whose, ...more }
}

function victimOf({ kind, target, which }: Kill, { awake, host }: Scene): Living | undefined {
  // Others have no Web Workers, and no lock that could be stolen.
  if (kind === 'web worker' || kind === 'spin' || kind === 'freeze till stolen') return host
  const others = awake.filter((one) => one !== host)
  return (target === 'host' && host) || others[which % others.length] || host
}

/** undefined: there was nothing to strike. */
async function strike(
  kill: Kill,
  scene: Scene,
  victim: Living,
): Promise<{ what?: string; worker?: number } | undefined> {
  switch (kill.kind) {
    case 'web worker': {
      const worker = await scene.call(victim, 'endWorker', kill.which, kill.how)
      return worker === undefined ? undefined : { what: `, ${kill.how} of its Web Worker ${worker}`, worker }
    }
    case 'spin': {
      const { key, bad } = kill
      const options = { timeout: SPIN_TIMEOUT, retry: { attempts: 3, delay: 10 }, priority: -2 }
      await scene.call(victim, 'single', { name: 'spin', item: { key, bad }, options })
      await scene.books.until(() => spins(scene.books, key), 5_000)
      return { what: `, ${key}, ${bad} times` }
    }
    case 'close':
    case 'crash':
    case 'reload':
      await scene[kill.kind](victim)
      return {}
    case 'freeze':
      await scene.freeze(victim)
      await new Promise((resolve) => setTimeout(resolve, kill.ms))
      await scene.thaw(victim)
      return { what: `, for ${kill.ms} ms` }
    case 'freeze till stolen': {
      if (scene.awake.length < 2) return undefined
      if (!kill.midway) await scene.call(victim, 'rest')
      const at = Date.now()
      await scene.freeze(victim)
      const stolen = await scene.books.until(() => scene.host !== undefined, STOLEN_WITHIN)
      await scene.thaw(victim)
      if (!stolen) throw new Error(`Nobody took over from a frozen host within ${STOLEN_WITHIN} ms.`)
      return { what: `, stolen from after ${Date.now() - at} ms` }
    }
    case 'steal':
      await scene.call(victim, 'steal')
      return { what: ' steals' }
    case 'browser':
      return undefined
  }
}

const spins = (books: Books, key: string) => books.runs.some((run) => run.key === key)
