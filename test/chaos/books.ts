import type { Report } from './pages/reports.js'

type Of<T extends Report['type']> = Extract<Report, { type: T }>
/** When it was heard: in which order, and in ms since the epoch. */
interface Heard {
  order: number
  heardAt: number
}
export type Execution = Of<'run'> & Heard & { number: number }
export type Exchanging = Of<'exchange'> & Heard

/** Everything that was reported of one database: the only memory that no kill reaches. */
export class Books {
  readonly runs: Execution[] = []
  readonly exchanges: Exchanging[] = []
  /** Ids by key. A key is acknowledged once. */
  readonly acknowledged = new Map<string, string>()
  readonly cancelled = new Set<string>()
  readonly errors: Of<'error'>[] = []
  readonly storage: Of<'storage'>[] = []
  /** The latest life of each tab, and the latest role of each life. */
  readonly lives = new Map<string, string>()
  readonly roles = new Map<string, string>()
  #order = 0
  readonly #waiting = new Set<() => void>()

  /** Answers with the number of the execution, of a run. */
  hear(report: Report): number {
    const heard = { order: ++this.#order, heardAt: Date.now() }
    switch (report.type) {
      case 'opened':
        this.lives.set(report.tab, report.life)
        break
      case 'role':
        this.roles.set(report.life, report.role)
        break
      case 'run':
        this.runs.push({ ...report, ...heard, number: this.runs.length })
        break
      case 'exchange':
        this.exchanges.push({ ...report, ...heard })
        break
      case 'acknowledged':
        this.acknowledged.set(report.key, report.id)
        break
      case 'cancelled':
        this.cancelled.add(report.key)
        break
      case 'storage':
        this.storage.push(report)
        break
      case 'error':
        this.errors.push(report)
        break
    }
    const number = this.runs.length - 1
    for (const look of [...this.#waiting]) look()
    return number
  }

  /** Resolves to true once it holds; to false after `ms`. Looked at whenever something is reported. */
  until(holds: () => boolean, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (held: boolean) => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve(held)
      }
      const look = () => holds() && end(true)
      const timer = setTimeout(() => end(false), ms)
      this.#waiting.add(look)
      look()
    })
  }

  roleOf(tab: string): string | undefined {
    return this.roles.get(this.lives.get(tab) ?? '')
  }
}
