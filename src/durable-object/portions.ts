/**
 * A call takes 32 MiB either way (https://developers.cloudflare.com/workers/runtime-apis/rpc/, "Limitations"), and a page of
 * results may have hundreds of values of 2 MB each: long answers are sent in portions.
 */
import { randomText } from '../random.js'
import { roughSize } from '../rough-size.js'

/** Bytes in a portion, as far as they can be told without writing them. One item is more than that only if it is alone. */
const PORTION = 8 * 1024 * 1024
/** Rests of so many answers are kept for those that ask for them. */
const KEPT = 16

/** The list in an answer that may be long. */
function listIn(answer: unknown): unknown[] | undefined {
  if (Array.isArray(answer)) return answer
  if (typeof answer !== 'object' || answer === null) return undefined
  const list: unknown = 'claimed' in answer ? answer.claimed : 'items' in answer ? answer.items : undefined
  return Array.isArray(list) ? list : undefined
}

/** Puts a portion behind those that came before. */
export function join(answer: unknown, portion: readonly unknown[]): void {
  listIn(answer)?.push(...portion)
}

/** What was not sent yet. */
export class Rests {
  readonly #rests = new Map<string, unknown[]>()

  /** Cuts an answer that is too long; resolves to what its rest is to be asked for by. */
  cut(answer: unknown): string | undefined {
    const list = listIn(answer)
    const count = list ? portion(list) : 0
    return list && count < list.length ? this.#keep(list.splice(count)) : undefined
  }

  /** The next portion of a rest. Undefined: it was not kept, and all must be asked for again. */
  next(rest: string): { items: unknown[]; rest?: string } | undefined {
    const list = this.#rests.get(rest)
    if (!list) return undefined
    this.#rests.delete(rest)
    const items = list.splice(0, portion(list))
    return list.length > 0 ? { items, rest: this.#keep(list) } : { items }
  }

  #keep(list: unknown[]): string {
    const rest = randomText(8)
    this.#rests.set(rest, list)
    for (const oldest of this.#rests.keys()) {
      if (this.#rests.size <= KEPT) break
      this.#rests.delete(oldest)
    }
    return rest
  }
}

/** How many items go together: at least one. */
function portion(list: readonly unknown[]): number {
  let bytes = 0
  for (const [count, item] of list.entries()) {
    bytes += roughSize(item)
    if (bytes > PORTION && count > 0) return count
  }
  return list.length
}
