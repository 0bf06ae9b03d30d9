import type { Clock } from '../clock.js'
import type { Deadlines } from '../execute/deadlines.js'
import { abortedRecord, abortReason, timeoutReason } from '../execute/run.js'
import type { EndedRun, Report, Run } from '../executor.js'
import type { ErrorRecord } from '../task.js'
import type { Entry, Member } from './member.js'
import type { WireReason } from './protocol.js'

/** An attempt that goes on this long after its abort, in ms, is killed together with its Web Worker. */
const GRACE = 1_000

export interface AttemptsOptions {
  clock: Clock
  deadlines: Deadlines
  report(report: Report): void
  /** The Web Worker does not let go of an attempt that was aborted. */
  kill(member: Member, entry: Entry, reason: DOMException): void
}

/** Every run from give to report: reports each exactly once, and ends those whose time is up. */
export class Attempts {
  readonly #options: AttemptsOptions
  /** Those not reported. */
  readonly #open = new Map<number, Entry>()
  #ended: EndedRun[] = []

  constructor(options: AttemptsOptions) {
    this.#options = options
  }

  open(run: Run): Entry {
    const entry: Entry = { run, reported: false }
    this.#open.set(run.key, entry)
    return entry
  }

  get(key: number): Entry | undefined {
    return this.#open.get(key)
  }

  /** It goes back to the host, unreported. */
  recall(key: number): void {
    this.#open.delete(key)
  }

  started(entry: Entry, at: number, timeout: number): void {
    if (entry.reported) return
    entry.startedAt = at
    this.#options.report({ type: 'started', key: entry.run.key, at })
    if (timeout <= 0 || entry.aborted) return
    entry.callOff = this.#options.deadlines.in(timeout, () => {
      const reason = timeoutReason(entry.run.name, timeout)
      this.#stop(entry, reason, 'TimeoutError')
      this.fail(entry, abortedRecord(reason))
    })
  }

  /** Attempts that Web Workers ended: those that nobody was told of yet are reported together. */
  ended(ended: readonly { entry: Entry; end: EndedRun }[]): void {
    const runs = ended.filter(({ entry }) => this.#close(entry)).map(({ end }) => end)
    if (runs.length > 0) this.#options.report({ type: 'ended', runs })
  }

  abort(entry: Entry, reason: string): void {
    if (entry.aborted) return
    const why = abortReason(reason)
    if (entry.member) this.#stop(entry, why, 'AbortError')
    else this.fail(entry, abortedRecord(why))
  }

  /** Ends it from here. What its Web Worker may still say of it is not passed on. */
  fail(entry: Entry, error: ErrorRecord): void {
    const { callOff } = entry
    if (entry.reported) return
    entry.reported = true
    this.#open.delete(entry.run.key)
    if (!entry.member) callOff?.() // otherwise it may have to be killed yet
    const finishedAt = this.#options.clock.now()
    const startedAt = entry.startedAt ?? finishedAt
    // Later, so that the host is never called from within its own call; those of one turn together.
    if (this.#ended.push({ key: entry.run.key, startedAt, finishedAt, ok: false, error }) === 1) {
      queueMicrotask(() => this.#flush())
    }
  }

  crashed(entry: Entry, error: ErrorRecord): void {
    const startedAt = entry.startedAt ?? this.#options.clock.now()
    if (this.#close(entry)) this.#options.report({ type: 'crashed', key: entry.run.key, startedAt, error })
  }

  /** Its Web Worker is gone and it has to begin anew. */
  reset(entry: Entry): void {
    entry.callOff?.()
    entry.callOff = undefined
    entry.startedAt = undefined
  }

  #close(entry: Entry): boolean {
    entry.callOff?.()
    entry.callOff = undefined
    if (entry.reported) return false
    entry.reported = true
    this.#open.delete(entry.run.key)
    return true
  }

  #stop(entry: Entry, reason: DOMException, name: WireReason['name']): void {
    const { key } = entry.run
    entry.aborted = reason
    entry.callOff?.()
    entry.member?.aborting.add(key)
    entry.member?.handle.post({ type: 'abort', key, reason: { name, message: reason.message } })
    entry.callOff = this.#options.deadlines.in(GRACE, () => this.#overdue(entry, reason))
  }

  #overdue(entry: Entry, reason: DOMException): void {
    const { member } = entry
    this.fail(entry, abortedRecord(reason))
    // One that waits behind another, which may compute for as long as it likes, has certainly not begun.
    if (member && (entry.startedAt !== undefined || member.surelyRunning === undefined))
      this.#options.kill(member, entry, reason)
  }

  #flush(): void {
    const runs = this.#ended
    this.#ended = []
    this.#options.report({ type: 'ended', runs })
  }
}
