/** Opening gates: what waits behind them goes back to its priority, in its old order. */
import type { Change } from '../backend.js'
import type { Key } from '../keys.js'
import { joined, setAside, takeAside } from './aside.js'
import { countAside, type Draft, type Place, type Step } from './ledger.js'
import type { AsideMark } from './records.js'
import { behind, LAST, range, remove } from './tables.js'

/** Marks moved in one transaction that has a limit, at most: they are what it costs, however many tasks they stand for. */
export const STRETCHES = 512

/** Marks of a gate that are to be read yet, from a key to another. */
type Span = readonly [from: Key, to: Key]

export function* openGates(draft: Draft, { gate, but, limit }: Extract<Change, { type: 'open-gate' }>): Step<number> {
  const opening = new Opening(draft, limit)
  let spans = [...spansOf(draft, typeof gate === 'string' ? [gate] : gate, but)]
  while (spans.length > 0 && opening.room > 0) {
    // Mostly each has few; those that have more are read on.
    const share = Math.ceil(opening.room / spans.length)
    const reads = spans.map(([from, to]) => range('gate', from, to, limit === undefined ? {} : { limit: share }))
    yield reads
    for (const { found } of reads) opening.take(found)
    spans = spans.flatMap(([, to], i): Span[] => {
      const found = reads[i]?.found ?? []
      const last = found.at(-1)
      return last && found.length >= share ? [[behind(last), to]] : []
    })
  }
  return opening.finish()
}

function* spansOf(draft: Draft, gates: readonly string[], but: number | undefined): Generator<Span> {
  for (const { queue, aside } of draft.ledgers.values()) {
    if (!aside.blocked) continue
    for (const gate of gates) {
      if (but === undefined)
        yield [
          [queue, gate],
          [queue, gate, LAST],
        ]
      else {
        yield [
          [queue, gate],
          [queue, gate, but],
        ]
        yield [
          [queue, gate, but, LAST],
          [queue, gate, LAST],
        ]
      }
    }
  }
}

/** Moves marks as a whole where it can: their keys aside stay the same, and those of their gate go by range. */
class Opening {
  readonly #draft: Draft
  readonly #back: AsideMark[] = []
  #tasks: number
  #marks: number

  constructor(draft: Draft, limit: number | undefined) {
    this.#draft = draft
    this.#tasks = limit ?? Number.POSITIVE_INFINITY
    this.#marks = limit === undefined ? Number.POSITIVE_INFINITY : STRETCHES
  }

  /** Marks that may still be moved. */
  get room(): number {
    return Math.min(this.#tasks, this.#marks)
  }

  /** Neighbours in a gate, as they were read. */
  take(found: readonly AsideMark[]): void {
    let run: AsideMark[] = []
    for (const mark of found) {
      if (this.room <= 0) break
      const place = this.#draft.place(mark.lane)
      const size = mark.to - mark.from
      if (size <= this.#tasks) {
        run.push(mark)
        countAside(place.ledger, mark.gate ?? '', mark.order, -size)
        this.#open(place, mark, mark.to)
        continue
      }
      this.#shut(run)
      run = []
      const to = mark.from + this.#tasks
      takeAside(this.#draft, mark, mark.from, to)
      this.#open(place, mark, to)
    }
    this.#shut(run)
  }

  #open({ state }: Place, mark: AsideMark, to: number): void {
    const { why: _, ...rest } = mark
    this.#back.push({ ...rest, to, gate: state.priority, order: 0 })
    this.#tasks -= to - mark.from
    this.#marks--
  }

  /** Nothing waits there any more. */
  #shut(run: readonly AsideMark[]): void {
    const [first, last] = [run[0], run.at(-1)]
    if (first && last) this.#draft.erase('gate', first, last)
  }

  finish(): number {
    this.#back.sort((a, b) => a.lane - b.lane || a.from - b.from)
    for (const { mark, of } of joined(this.#back)) {
      const { lane, from, to } = mark
      if (of > 1) this.#draft.writes.push(remove('aside', [lane, from], [lane, to - 1]))
      setAside(this.#draft, mark)
    }
    return this.#back.reduce((sum, { from, to }) => sum + to - from, 0)
  }
}
