import { parseId } from '../../src/task.js'
import { placeOf } from '../support/pages/witness.js'
import type { Counted, Recount } from './pages/recount.js'

/**
 * What was seen of one database, kill after kill. Each look is held to the ones before: what was acknowledged is there, and
 * what has ended stays as it ended. Neither takes the library's word for it.
 */
export class Looks {
  readonly #ended = new Map<string, string>()

  /** What should not be. `acknowledged`: ids by key, of before the recount. */
  compare({ tasks }: Recount, acknowledged: ReadonlyMap<string, string>): string[] {
    const faults: string[] = []
    const places = new Map(tasks.map((task) => [task.place, task]))
    for (const [key, id] of acknowledged)
      if (places.get(placeOf(parseId(id)))?.key !== key) faults.push(`${key} was acknowledged and is gone`)
    for (const [place, before] of this.#ended) {
      const task = places.get(place)
      const now = task ? endOf(task) : 'gone'
      if (now !== before) faults.push(`${place} (${task?.key}) had ended as ${before} and is ${now ?? task?.state}`)
    }
    for (const task of tasks) {
      const end = endOf(task)
      if (end !== undefined) this.#ended.set(task.place, end)
    }
    return faults
  }
}

/** Its outcome, and which execution it is of; undefined if it has none. */
function endOf({ state, attempts, run, error }: Counted): string | undefined {
  if (state !== 'completed' && state !== 'failed' && state !== 'cancelled') return undefined
  return JSON.stringify({ state, attempts, run, error })
}
