import { assertCloneable, roughSize } from '../cloneable.js'
import { InvalidOptionError } from '../errors.js'
import { nextTurn } from '../execute/turn.js'

/** What enqueueMany takes inputs from. */
export type Inputs<Input> = Iterable<Input> | AsyncIterable<Input>

/** About how many bytes a chunk may have: the transactions of a bulk import stay short, and so does the wait behind them. */
const CHUNK_BYTES = 4 * 1024 * 1024
/** Inputs passed over before the event loop gets its turn. */
const SKIPS = 0x4000

export interface Chunk {
  /** Index of its first input. */
  offset: number
  inputs: unknown[]
  /** Nothing comes after it. */
  last: boolean
}

type Source =
  | { sync: true; iterator: Iterator<unknown, unknown, undefined> }
  | { sync: false; iterator: AsyncIterator<unknown, unknown, undefined> }

/**
 * Takes inputs one by one and puts them together in chunks, so that no more than a chunk is in memory. Sources that
 * are not asynchronous are drained without a promise for each input.
 */
export class Chunker {
  readonly #source: Source
  readonly #size: number
  /** Inputs taken so far. */
  #taken = 0
  /** Taken already, to see whether anything comes after a chunk. */
  #ahead: IteratorResult<unknown, unknown> | undefined
  /** What the source threw at that look. */
  #failure: { error: unknown } | undefined
  #done = false

  constructor(inputs: Inputs<unknown>, size: number) {
    this.#source = sourceOf(inputs)
    this.#size = size
  }

  /**
   * The next chunk, without the inputs before index `skip`. Rejects with what the source threw, and with InvalidInputError
   * for an input that cannot be stored.
   */
  async next(skip: number): Promise<Chunk> {
    if (this.#failure) throw this.#failure.error
    const chunk: Chunk = { offset: Math.max(skip, this.#taken), inputs: [], last: false }
    let bytes = 0
    while (chunk.inputs.length < this.#size && bytes < CHUNK_BYTES) {
      const { done, value } = this.#take() ?? (await this.#source.iterator.next())
      if (done) {
        this.#done = true
        break
      }
      const index = this.#taken++
      if (index < skip) {
        if (index % SKIPS === SKIPS - 1) await nextTurn()
        continue
      }
      assertCloneable(value, `input[${index}]`)
      bytes += roughSize(value)
      chunk.inputs.push(value)
    }
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

  /** What can be had without waiting. */
  #take(): IteratorResult<unknown, unknown> | undefined {
    const ahead = this.#ahead
    this.#ahead = undefined
    return ahead ?? (this.#source.sync ? this.#source.iterator.next() : undefined)
  }

  /** No more inputs are taken: the source may clean up. Does not wait for it, since it may be waiting itself. */
  stop(): void {
    if (this.#done) return
    this.#done = true
    // What a source throws while it is called off says nothing of the tasks.
    void Promise.resolve()
      .then(() => this.#source.iterator.return?.())
      .catch(() => undefined)
  }
}

function sourceOf(inputs: Inputs<unknown>): Source {
  // Callers in plain JavaScript pass anything; and a string is iterable, but never meant so.
  const given: unknown = inputs
  if (typeof given === 'object' && given !== null) {
    if (Symbol.asyncIterator in inputs) return { sync: false, iterator: inputs[Symbol.asyncIterator]() }
    if (Symbol.iterator in inputs) return { sync: true, iterator: inputs[Symbol.iterator]() }
  }
  throw new InvalidOptionError(
    'inputs',
    'inputs must be an array, an iterable or an async iterable. For one task use enqueue.',
  )
}
