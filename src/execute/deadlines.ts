import type { Clock } from '../clock.js'
import { nextTurn } from '../turn.js'

/** A timer that fires later than this, in ms, tells that the thread was busy or throttled. */
const LATE = 50

interface Deadline {
  due: number
  fire(): void
  callOff(): void
}

/** What has to happen when a time is up, unless it is called off. */
export class Deadlines {
  readonly #clock: Clock
  readonly #open = new Set<Deadline>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Returns the way to call it off. */
  in(ms: number, act: () => void): () => void {
    const due = this.#clock.monotonic() + ms
    const deadline: Deadline = {
      due,
      fire: () => {
        if (!this.#open.has(deadline)) return
        deadline.callOff()
        act()
      },
      callOff: () => {
        this.#open.delete(deadline)
        cancel()
      },
    }
    const cancel = this.#clock.timer(ms, () => {
      // After a pause of this thread the message that would call it off may be there already: it is heard first.
      if (this.#clock.monotonic() - due > LATE) nextTurn().then(deadline.fire)
      else deadline.fire()
    })
    this.#open.add(deadline)
    return deadline.callOff
  }

  /** Hidden pages fire their timers once a second or minute: called from a clock that is not held back. */
  sweep(): void {
    const now = this.#clock.monotonic()
    for (const deadline of [...this.#open]) if (deadline.due <= now) deadline.fire()
  }

  clear(): void {
    for (const deadline of [...this.#open]) deadline.callOff()
  }
}
