import type { Clock } from '../clock.js'
import type { Deadlines } from '../execute/deadlines.js'
import { isStuck, SILENCE } from './batches.js'
import type { Crew } from './crew.js'

/**
 * Takes runs back from behind one that takes longer than expected, as long as other Web Workers have nothing to do. Batches
 * are sized by what was measured; this is for the one in a thousand that is not like the others. A Web Worker that
 * computes cannot answer: what waits behind that, waits.
 */
export class Sharing {
  readonly #crew: Crew
  readonly #clock: Clock
  readonly #deadlines: Deadlines
  #waiting = false

  constructor(crew: Crew, clock: Clock, deadlines: Deadlines) {
    this.#crew = crew
    this.#clock = clock
    this.#deadlines = deadlines
  }

  /** Called when nothing is left in line. */
  look(): void {
    if (this.#waiting) return
    const members = [...this.#crew.members]
    const spare = members.length < this.#crew.size || members.some(({ ready, given }) => ready && given.size === 0)
    if (!spare || !members.some(({ waiting }) => waiting > 0)) return
    this.#waiting = true
    this.#deadlines.in(SILENCE, () => {
      this.#waiting = false
      const now = this.#clock.monotonic()
      for (const member of this.#crew.members) {
        if (member.waiting === 0 || member.recalling || !isStuck(member, now)) continue
        member.recalling = true
        member.handle.post({ type: 'recall' })
      }
      this.look()
    })
  }
}
