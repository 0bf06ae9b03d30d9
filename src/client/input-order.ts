import type { Interval, Lane, Position } from '../task.js'
import type { BatchReader, Found } from './batch-reader.js'

/** Results read again in one go, at most. */
const RUN = 8_192
const ABSENT = 0
const DROPPED = -1

/** Where the items lie that have ended out of turn: two numbers for each item of the batch. */
class Places {
  /** Lane + 1, so that 0 says there is none. */
  #lanes = new Float64Array(1_024)
  #positions = new Float64Array(1_024)
  #end = 0

  /** One past the greatest index held. */
  get end(): number {
    return this.#end
  }

  set(index: number, lane: Lane, position: Position): void {
    if (index >= this.#lanes.length) {
      this.#lanes = grown(this.#lanes, index)
      this.#positions = grown(this.#positions, index)
    }
    this.#lanes[index] = lane < 0 ? lane : lane + 1
    this.#positions[index] = position
    this.#end = Math.max(this.#end, index + 1)
  }

  drop(index: number): void {
    this.set(index, DROPPED, 0)
  }

  isDropped(index: number): boolean {
    return this.#lanes[index] === DROPPED
  }

  has(index: number): boolean {
    return (this.#lanes[index] ?? ABSENT) !== ABSENT
  }

  delete(index: number): void {
    if (index < this.#end) this.#lanes[index] = ABSENT
  }

  /** The stretch that holds this item and those that follow it. */
  run(index: number): Interval {
    const lane = (this.#lanes[index] ?? 0) - 1
    const from = this.#positions[index] ?? 0
    let to = from + 1
    while (to - from < RUN && this.#lanes[index + to - from] === lane + 1 && this.#positions[index + to - from] === to)
      to++
    return { lane, from, to }
  }
}

function grown(numbers: Float64Array, index: number): Float64Array<ArrayBuffer> {
  const larger = new Float64Array(Math.max(index + 1, numbers.length * 2))
  larger.set(numbers)
  return larger
}

/**
 * The same in input order. What ends out of turn is not kept but read again when its turn comes: only places are held
 * back, so that one slow item at the front of a large batch costs no memory to speak of.
 */
export async function* inInputOrder(
  reader: BatchReader,
  all: AsyncIterable<readonly Found[]>,
): AsyncGenerator<readonly Found[], void, undefined> {
  const places = new Places()
  let next = 0
  for await (const page of all) {
    let turn: Found[] = []
    for (const found of page) {
      if (found.index !== next) {
        if (found.result) places.set(found.index, found.lane, found.position)
        else places.drop(found.index)
        continue
      }
      turn.push(found)
      places.delete(next++)
      if (!places.has(next)) continue
      yield turn
      turn = []
      next = yield* drain(reader, places, next)
    }
    yield turn
  }
  // What is missing now was pruned.
  while (next < places.end) {
    if (!places.has(next)) next++
    else next = yield* drain(reader, places, next)
  }
}

/** Yields the items whose turn has come, and returns whose turn is next. */
async function* drain(
  reader: BatchReader,
  places: Places,
  from: number,
): AsyncGenerator<readonly Found[], number, undefined> {
  let next = from
  while (places.has(next)) {
    if (places.isDropped(next)) {
      places.delete(next++)
      continue
    }
    const run = places.run(next)
    const end = next + (run.to - run.from)
    for await (const page of reader.again(run)) {
      const turn: Found[] = []
      for (const found of page) {
        // Behind one that was retried: it stays held back.
        if (found.index !== next) continue
        turn.push(found)
        places.delete(next++)
      }
      yield turn
    }
    if (next < end) {
      places.delete(next)
      break
    }
  }
  return next
}
