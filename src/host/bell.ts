import type { Clock } from '../clock.js'

/** Wakes the one loop that waits for it. A ring while nobody waits is kept: the next wait returns at once. */
export class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves when it rings, or after `ms`; Infinity: only when it rings. */
  async wait(clock: Clock, ms: number): Promise<void> {
    if (!this.#rung && ms > 0) {
      await new Promise<void>((resolve) => {
        const stop = ms === Number.POSITIVE_INFINITY ? undefined : clock.timer(ms, () => this.#wake?.())
        this.#wake = () => {
          this.#wake = undefined
          stop?.()
          resolve()
        }
      })
    }
    this.#rung = false
  }
}
