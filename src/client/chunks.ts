import type { Clock } from '../clock.js'
import { assertCloneable } from '../cloneable.js'
import { InvalidOptionError } from '../errors.js'
import { flatSize, roughSize } from '../rough-size.js'
import { nextTurn } from '../turn.js'

/** What enqueueMany takes inputs from. No strings: they can be iterated, but nobody means that. */
export type Inputs<Input> = (Iterable<Input> | AsyncIterable<Input>) & object

/** About how many bytes a chunk may have: the transactions of a bulk import stay short, and so does the wait behind them. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** How long an input may wait for its chunk to fill, in ms: what is not stored is lost with the page. */
const CHUNK_TIME = 1_000
/** Inputs passed over before the event loop gets its turn. */
const SKIPS = 0x4000

export interface Chunk {
  /** Index of its first input. */
  offset: number
  inputs: unknown[]
  /** Of each input: about how many bytes it takes when stored. */
  sizes: number[]
  /** Nothing comes after it. */
  last: boolean
}

type Source =
  | { sync: true; iterator: Iterator<unknown, unknown, undefined> }
  | { sync: false; iterator: AsyncIterator<unknown, unknown, undefined> }

/**
 * Takes inputs one by one and puts them together in chunks, so that no more than a chunk is in memory. Sources that
 * are not asynchronous are drained without a promise for each input; of the others a chunk is given early rather than that
 * an input waits for more than a second.
 */
export class Chunker {
  readonly #source: Source
  readonly #size: number
  readonly #clock: Clock
  /** Inputs taken so far. */
  #taken = 0
  /** Taken already, to see whether anything comes after a chunk. */
  #ahead: IteratorResult<unknown, unknown> | undefined
  /** What the source threw at that look. */
  #failure: { error: unknown } | undefined
  /** Asked for when a chunk was given early. */
  #coming: Promise<IteratorResult<unknown, unknown>> | undefined
  #stopTimer = () => {}
  #done = false
  /** No more inputs are wanted. */
  stopped = false

  constructor(inputs: Inputs<unknown>, size: number, clock: Clock) {
    this.#source = sourceOf(inputs)
    this.#size = size
    this.#clock = clock
  }

  /**
   * The next chunk, without the inputs before index `skip`. Rejects with what the source threw, and with InvalidInputError
   * for an input that cannot be stored.
   */
  async next(skip: number): Promise<Chunk> {
    if (this.#failure) throw this.#failure.error
    const chunk: Chunk = { offset: Math.max(skip, this.#taken), inputs: [], sizes: [], last: false }
    let bytes = 0
    let late: Promise<undefined> | undefined
    let since = 0
    while (chunk.inputs.length < this.#size && bytes < CHUNK_BYTES && !this.#done) {
      const taken = this.#take() ?? (await this.#wait(late))
      if (!taken || this.#done) break
      const { done, value } = taken
      if (done) {
        this.#done = true
        break
      }
      const index = this.#taken++
      if (index < skip) {
        if (index % SKIPS === SKIPS - 1) await nextTurn()
        continue
      }
      const size = sizeOf(value, index)
      bytes += size
      chunk.inputs.push(value)
      chunk.sizes.push(size)
      if (this.#source.sync) continue
      if (!late) {
        since = this.#clock.monotonic()
        late = this.#timer()
      } else if (this.#clock.monotonic() - since >= CHUNK_TIME) break // timers are late in hidden pages
    }
    this.#stopTimer()
    // A look ahead saves an empty chunk at the end. Never wait for it: a slow source must not hold a full chunk back.
    if (!this.#done) this.#lookAhead()
    chunk.last = this.#done || this.#ahead?.done === true
    return chunk
  }

  #lookAhead(): void {
    try {
      this.#ahead = this.#take()
    } catch (error) {
      // That is the next chunk's business; this one is whole.
      this.#failure = { error }
    }
  }

  /** What comes next; undefined if it is not there when time is up. */
  async #wait(late: Promise<undefined> | undefined): Promise<IteratorResult<unknown, unknown> | undefined> {
    const coming = this.#coming ?? Promise.resolve(this.#source.iterator.next())
    this.#coming = coming
    // Should it fail while nobody waits for it, the next chunk tells.
    coming.catch(() => undefined)
    const taken = await (late ? Promise.race([coming, late]) : coming)
    if (taken) this.#coming = undefined
    return taken
  }

  #timer(): Promise<undefined> {
    return new Promise((resolve) => {
      this.#stopTimer = this.#clock.timer(CHUNK_TIME, () => resolve(undefined))
    })
  }

  /** What can be had without waiting. */
  #take(): IteratorResult<unknown, unknown> | undefined {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? (this.#source.sync ? this.#source.iterator.next() : undefined)
  }

  /** No more inputs are taken: the source may clean up. Does not wait for it, since it may be waiting itself. */
  stop(): void {
    this.stopped = true
    this.#stopTimer()
    if (this.#done) return
    this.#done = true
    // What a source throws while it is called off says nothing of the tasks.
    void Promise.resolve()
      .then(() => this.#source.iterator.return?.())
      .catch(() => undefined)
  }
}

/** Throws InvalidInputError for what cannot be stored. */
function sizeOf(value: unknown, index: number): number {
  const flat = flatSize(value)
  if (flat !== undefined) return flat
  assertCloneable(value, `input[${index}]`)
  return roughSize(value)
}

function sourceOf(inputs: Inputs<unknown>): Source {
  // Callers in plain JavaScript pass anything; and a string is iterable, but never meant so.
  const given: unknown = inputs
  if (typeof given === 'object' && given !== null) {
    if (Symbol.asyncIterator in inputs) return { sync: false, iterator: inputs[Symbol.asyncIterator]() }
    if (Symbol.iterator in inputs) return { sync: true, iterator: iteratorOf(inputs) }
  }
  throw new InvalidOptionError(
    'inputs',
    'inputs must be an array, an iterable or an async iterable. For one task use enqueue.',
  )
}

/** Of an array as it comes, without an object for each item. */
function iteratorOf(inputs: Iterable<unknown>): Iterator<unknown, unknown, undefined> {
  if (!Array.isArray(inputs) || inputs[Symbol.iterator] !== Array.prototype[Symbol.iterator])
    return inputs[Symbol.iterator]()
  const items: readonly unknown[] = inputs
  const taken: { done: boolean; value: unknown } = { done: false, value: undefined }
  let next = 0
  return {
    next() {
      taken.done = next >= items.length
      taken.value = items[next++]
      return taken
    },
  }
}
