/** Which gates hold tasks back. A page's cost depends on how many gates are in it, not on how many tasks wait there. */
import type { Cursor, GateView, Page, Reads } from '../backend.js'
import type { Plan } from '../storage.js'
import { Draft } from './ledger.js'
import { cursorOf, page, placeIn } from './pages.js'
import { LAST, range } from './tables.js'

/** Marks read at a time: of many gates each has few, and of a gate with many the rest is passed over. */
const MARKS = 64

/** Each gate once for each queue with tasks behind it. */
export function* gates({ limit }: Reads['gates']['query'], cursor?: Cursor): Plan<Page<GateView>> {
  const draft = new Draft()
  yield* draft.load({ ledgers: true })
  const items: GateView[] = []
  let [queue, gate] = placeIn(cursor).map(String)
  for (const ledger of draft.ledgers.values()) {
    if (!ledger.aside.blocked || (queue !== undefined && ledger.queue < queue)) continue
    if (queue !== ledger.queue) gate = undefined
    queue = ledger.queue
    for (;;) {
      // Gates that are numbers, which sort before all strings, are priorities: what waits there is not blocked.
      const from = gate === undefined ? [queue, ''] : [queue, gate, LAST]
      const marks = range('gate', from, [queue, LAST], { limit: MARKS })
      yield [marks]
      for (const mark of marks.found) {
        if (typeof mark.gate !== 'string' || mark.gate === gate) continue
        if (items.length === limit) return page(items, cursorOf(queue, gate))
        gate = mark.gate
        items.push({ queue, gate })
      }
      if (marks.found.length < MARKS) break
    }
  }
  return page(items)
}
