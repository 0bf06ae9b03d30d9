import type { Exchange, Exchanged } from 'sitq'

/** What tabs and their Web Workers tell the test that opened them, as it happens. */
export type Seen =
  /** A handler began. */
  | { type: 'run'; tab: string; name: string; index: number; place: string; attempt: number }
  /** The signal of a handler that listens was aborted. */
  | { type: 'aborted'; tab: string; index: number; reason: string }
  /** A host recorded and claimed. A task is known by its place, `lane:position`. */
  | { type: 'exchange'; tab: string; host: string; at: number; claimed: Claim[]; settled: Settled[]; fenced: boolean }
  /** An error that nobody waited for. */
  | { type: 'error'; tab: string; message: string }
  /** From the test: handlers that hold go on, of one tab or of all. */
  | { type: 'go'; tab?: string }

export interface Claim {
  place: string
  name: string
  attempt: number
  crashes: number
}

export interface Settled {
  place: string
  to: 'completed' | 'failed' | 'aside'
}

export type Run = Extract<Seen, { type: 'run' }>
type Exchanging = Extract<Seen, { type: 'exchange' }>

type Place = { lane: number; position: number }
export const placeOf = (place: Place | undefined): string => `${place?.lane}:${place?.position}`

/** What an exchange comes to, without what it carries. */
export function summary(
  tab: string,
  { host, settle, now }: Exchange,
  { claimed, dropped, fenced }: Exchanged,
): Exchanging {
  const gone = new Set(dropped.map(placeOf))
  const counted = fenced ? [] : settle.filter((one) => !gone.has(placeOf(one)))
  return {
    type: 'exchange',
    tab,
    host,
    at: now,
    fenced,
    claimed: claimed.map((task) => {
      const { name, attempt, crashes } = task
      return { place: placeOf(task), name, attempt, crashes }
    }),
    settled: counted.map((one) => ({ place: placeOf(one), to: one.to })),
  }
}

/** The channel is never muted, whatever happens to hints. */
const channelOf = (database: string) => new BroadcastChannel(`witness:${database}`)

/** For those who are seen. */
export function teller(database: string, tab: string): { tell(seen: Seen): void; go: Promise<void> } {
  const channel = channelOf(database)
  const go = new Promise<void>((resolve) => {
    channel.addEventListener('message', ({ data }: MessageEvent<Seen>) => {
      if (data.type === 'go' && (data.tab ?? tab) === tab) resolve()
    })
  })
  return { tell: (seen) => channel.postMessage(seen), go }
}

/** Sees every execution of a handler and every exchange of a host, in all tabs that use one database. */
export class Witness {
  readonly runs: Run[] = []
  readonly aborted: Extract<Seen, { type: 'aborted' }>[] = []
  readonly exchanges: Exchanging[] = []
  readonly errors: string[] = []
  readonly #channel: BroadcastChannel
  readonly #waiting = new Set<() => void>()

  constructor(database: string) {
    this.#channel = channelOf(database)
    this.#channel.onmessage = ({ data }: MessageEvent<Seen>) => this.#see(data)
  }

  #see(seen: Seen): void {
    if (seen.type === 'run') this.runs.push(seen)
    if (seen.type === 'aborted') this.aborted.push(seen)
    if (seen.type === 'exchange') this.exchanges.push(seen)
    if (seen.type === 'error') this.errors.push(`${seen.tab}: ${seen.message}`)
    for (const look of [...this.#waiting]) look()
  }

  /** Resolves once it holds; looked at whenever something is seen. Rejects after `within` ms. */
  until(what: string, holds: () => boolean, within = 25_000): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#waiting.delete(look)
        const seen = `${this.runs.length} runs, ${this.exchanges.length} exchanges, errors: ${this.errors.join('; ') || 'none'}`
        reject(new Error(`Not within ${within} ms: ${what}. Seen: ${seen}.`))
      }, within)
      const look = () => {
        if (!holds()) return
        clearTimeout(late)
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Lets handlers that hold go on, now and in the future of their Web Worker; in one tab, or in all. */
  go(tab?: string): void {
    this.#channel.postMessage({ type: 'go', ...(tab === undefined ? {} : { tab }) } satisfies Seen)
  }

  runsOf(name: string): Run[] {
    return this.runs.filter((run) => run.name === name)
  }

  /** How often each was run, by index. */
  counts(name: string): Map<number, number> {
    const counts = new Map<number, number>()
    for (const { index } of this.runsOf(name)) counts.set(index, (counts.get(index) ?? 0) + 1)
    return counts
  }

  /** In the order in which they were begun: a frozen page tells of its last one when it is thawed. */
  #inOrder(): Exchanging[] {
    return [...this.exchanges].sort((a, b) => a.at - b.at)
  }

  /** Hosts in the order of their exchanges, each as often as it followed another; those that were fenced do not count. */
  hosts(): string[] {
    const hosts = this.#inOrder().flatMap(({ host, fenced }) => (fenced ? [] : host))
    return hosts.filter((host, i) => host !== hosts[i - 1])
  }

  /** The claims of each task in order, and what came of them; undefined: the host said nothing of it. */
  histories(): Map<string, (Claim & { host: string; tab: string; to?: Settled['to'] })[]> {
    const histories = new Map<string, (Claim & { host: string; tab: string; to?: Settled['to'] })[]>()
    for (const { host, tab, claimed, settled } of this.#inOrder()) {
      for (const { place, to } of settled) {
        // A host may give a task back and claim it again.
        const [claim] =
          histories
            .get(place)
            ?.filter((one) => one.host === host)
            .slice(-1) ?? []
        if (claim) claim.to = to
      }
      for (const claim of claimed) {
        const history = histories.get(claim.place) ?? []
        history.push({ ...claim, host, tab })
        histories.set(claim.place, history)
      }
    }
    return histories
  }

  close(): void {
    this.#channel.close()
  }
}
