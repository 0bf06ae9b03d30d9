/**
 * Exchanges of this page that go with an append, in one transaction: where a host has nothing to do, a task is claimed as it is
 * stored.
 */
import { onAbort } from '../abort.js'
import type { Exchanged } from '../backend.js'
import { StorageError } from '../errors.js'
import { inDoubt, type Plan } from '../storage.js'

/** An exchange that was asked for. */
export interface Asked {
  plan(): Plan<Exchanged>
  /** Once it has aborted, it must not be run any more. */
  unless: AbortSignal | undefined
  /** In a transaction of its own. `repeats`: it may have been committed. */
  alone(repeats: boolean): Promise<Exchanged>
}

/** An exchange that goes with an append. */
export interface Guest extends Pick<Asked, 'plan' | 'unless'> {
  answer(exchanged: Exchanged): void
  /** What they shared has failed; `inDoubt`: or is stored. */
  leave(inDoubt: boolean): void
}

/** Brings together an append that is about to begin and the exchange that is asked for because of it. */
export class Company {
  #inviting = false
  #guest: Guest | undefined

  /** The exchange that is asked for while `offer` runs. */
  invite(offer: () => void): Guest | undefined {
    this.#inviting = true
    try {
      offer()
      return this.#guest
    } finally {
      this.#inviting = false
      this.#guest = undefined
    }
  }

  /** undefined: there is no append to go with. */
  join({ plan, unless, alone }: Asked): Promise<Exchanged> | undefined {
    if (!this.#inviting || this.#guest) return undefined
    return new Promise((resolve, reject) => {
      // The tasks are stored when the page is back; whoever asked is dropped, and does not wait for that.
      const stop = onAbort([unless], () =>
        reject(inDoubt(new StorageError('unavailable', 'The page was left meanwhile.'))),
      )
      const answer = (exchanged: Exchanged | Promise<Exchanged>) => {
        stop()
        resolve(exchanged)
      }
      this.#guest = { plan, unless, answer, leave: (inDoubt) => unless?.aborted || answer(alone(inDoubt)) }
    })
  }
}
