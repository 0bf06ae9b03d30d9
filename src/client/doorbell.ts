import type { Hint } from '../channel.js'
import type { Client } from './client.js'

/** While hints come, polls are for those that get lost. First and longest time between two, in ms. */
export const FIRST_POLL = 1_000
export const LAST_POLL = 5_000
export const POLL_GROWTH = 1.5

/** Says when it is time to look again: when a hint that concerns us came, or after a while without one. */
export class Doorbell {
  readonly #client: Client
  readonly #deaf: () => void
  #poll = FIRST_POLL
  #rung = false
  #wake: (() => void) | undefined

  /** `concerns` hears every hint, and tells whether to look. */
  constructor(client: Client, concerns: (hint: Hint) => boolean) {
    this.#client = client
    this.#deaf = client.listen((hint) => {
      if (!concerns(hint)) return
      this.#rung = true
      this.#wake?.()
    })
  }

  /**
   * Resolves when it is time: true if a hint came (since the last time, too), false if it is time to poll. Rejects with
   * the signals' reason, and with ClosedError.
   */
  wait(...signals: (AbortSignal | undefined)[]): Promise<boolean> {
    const { clock } = this.#client
    return new Promise((resolve, reject) => {
      let stopTimer = () => {}
      const end = () => {
        this.#wake = undefined
        stopTimer()
        stopAborts()
      }
      const wake = () => {
        const rung = this.#rung
        this.#rung = false
        end()
        resolve(rung)
      }
      let aborted = false
      const stopAborts = this.#client.onEnd(signals, (reason) => {
        aborted = true
        stopTimer()
        this.#wake = undefined
        reject(reason)
      })
      if (aborted) return
      if (this.#rung) {
        wake()
        return
      }
      this.#wake = wake
      stopTimer = clock.timer(this.#poll, wake)
      this.#poll = Math.min(LAST_POLL, this.#poll * POLL_GROWTH)
    })
  }

  /** Something moves: polls come close together again. */
  hurry(): void {
    this.#poll = FIRST_POLL
  }

  close(): void {
    this.#deaf()
  }
}
