import type { Claimed, Exchange, Exchanged } from '../backend.js'
import { StorageError } from '../errors.js'
import type { HostId } from '../task.js'
import { Lanes } from './lanes.js'
import { Member } from './member.js'
import type { Shards } from './shards.js'

type Claim = NonNullable<Exchange['claim']>
type Round = { failed: unknown[]; claimed: number; fenced: boolean }

/**
 * A host that works for several shards. In each it has an entry and leases of its own, and each exchange is one transaction
 * there. Shards that do not answer keep none of the others waiting: what is to be settled there is sent again with later
 * exchanges, and what they have claimed comes with one of those. A shard that has voided the host takes from it what it
 * held there, and nothing else; it is voided as a whole when all have.
 */
export class ShardedHost {
  readonly members: readonly Member[]
  readonly #shards: Shards
  readonly #lanes: Lanes
  /** The exchange whose settlements were handed on. */
  #taken = 0
  #answered: { seq: number; answer: Exchanged } | undefined
  /** Where the next claim begins. */
  #turn = 0
  /** The exchange before: one at a time. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(shards: Shards, host: HostId, late: () => void) {
    this.#shards = shards
    this.#lanes = new Lanes(shards.count)
    this.members = shards.all.map((shard) => new Member(shard, host, late))
  }

  /** Everything it holds. */
  get held(): Float64Array {
    const parts = this.members.map(({ held }, shard) => this.#lanes.held(shard, held))
    return Float64Array.from(parts.flatMap((part) => [...part]))
  }

  get voided(): boolean {
    return this.members.every(({ entered }) => !entered)
  }

  exchange(x: Exchange): Promise<Exchanged> {
    const next = this.#last.then(() => this.#exchange(x))
    this.#last = next.catch(() => {})
    return next
  }

  async #exchange(x: Exchange): Promise<Exchanged> {
    if (this.#answered && x.seq <= this.#answered.seq) {
      const { seq, answer } = this.#answered
      return x.seq === seq ? answer : { ...answer, claimed: [] }
    }
    if (this.#taken !== x.seq) {
      for (const [shard, settle] of this.#lanes.settlements(x.settle)) this.members[shard]?.take(settle)
      this.#taken = x.seq
    }
    const first = this.#askedFirst(x)
    const round = x.leave ? await this.#leave(x) : await this.#claim(x, first)
    if (round.fenced)
      await this.#ask(x, new Map(this.members.filter((each) => !first.includes(each)).map((m) => [m, 0])))
    return this.#answer(x, round)
  }

  /** Those that need not hear of an exchange are spared. */
  #askedFirst({ claim, seq, settle }: Exchange): Member[] {
    if (claim || seq === 1 || settle.length === 0) return [...this.members]
    return this.members.filter(({ owes }) => owes)
  }

  async #claim(x: Exchange, members: readonly Member[]): Promise<Round> {
    const { claim } = x
    if (!claim) return this.#ask(x, new Map(members.map((member) => [member, 0])))
    const start = this.#turn++ % members.length
    let candidates = [...members.slice(start), ...members.slice(0, start)]
    let left = claim.limit
    const all: Round = { failed: [], claimed: 0, fenced: false }
    // Whatever there is to settle goes out first.
    let owing = new Set(members)
    do {
      const asked = candidates.slice(0, Math.max(1, left))
      const shares = new Map([...owing].map((member) => [member, 0]))
      asked.forEach((member, i) => {
        shares.set(member, Math.floor(left / asked.length) + (i < left % asked.length ? 1 : 0))
      })
      owing = new Set()
      const round = await this.#ask(x, shares)
      all.failed.push(...round.failed)
      all.fenced ||= round.fenced
      all.claimed += round.claimed
      left -= round.claimed
      const again = round.claimed > 0 ? asked.filter((member) => member.more && member.canBeAsked(x.now)) : []
      candidates = [...candidates.slice(asked.length), ...again]
    } while (left > 0 && candidates.length > 0)
    return all
  }

  /** One exchange with each of these shards, at the same time, that may claim so many. */
  async #ask({ now, until, claim }: Exchange, shares: ReadonlyMap<Member, number>): Promise<Round> {
    const round: Round = { failed: [], claimed: 0, fenced: false }
    const asking = [...shares].map(async ([member, limit]) => {
      if (!member.canBeAsked(now)) return void round.failed.push(undefined)
      const share: { claim?: Claim } = claim ? { claim: { ...claim, limit } } : {}
      try {
        const answer = await this.#patiently(member, member.exchange({ now, until, ...share }))
        if (answer === 'fenced') round.fenced = true
        else round.claimed += answer
      } catch (error) {
        round.failed.push(error)
      }
    })
    await Promise.all(asking)
    return round
  }

  async #leave({ now, until }: Exchange): Promise<Round> {
    const failed: unknown[] = []
    const leaving = this.members.map(async (member) => {
      // What it owes from before is sent again first, and may be several exchanges.
      while (!member.left && (member.entered || member.owes)) {
        if (member.busy) throw this.#shards.silent(this.members.indexOf(member))
        await this.#patiently(member, member.exchange({ now, until, leave: true }))
      }
    })
    for (const end of await Promise.allSettled(leaving)) if (end.status === 'rejected') failed.push(end.reason)
    if (failed.length > 0) throw failed[0]
    return { failed, claimed: 0, fenced: false }
  }

  #patiently(member: Member, exchange: Promise<number | 'fenced'>): Promise<number | 'fenced'> {
    return this.#shards.within(this.members.indexOf(member), exchange, () => void member.overdue(exchange))
  }

  #answer(x: Exchange, { failed, fenced }: Round): Exchanged {
    const refused = failed.find((error) => error instanceof StorageError && error.code === 'uncloneable')
    if (refused) {
      this.#taken = 0
      throw refused
    }
    if (failed.length === this.members.length) {
      throw failed.find((error) => error !== undefined) ?? this.#shards.silent(0)
    }
    for (const error of failed) if (error !== undefined) this.#shards.report(error)
    const told = this.members.map((member) => member.tell())
    const wakes = this.members.flatMap(({ wakeAt }) => wakeAt ?? [])
    const answer: Exchanged = {
      fenced: fenced && this.voided,
      claimed: inOrder(
        told.flatMap(({ claimed }, shard) => this.#lanes.claimed(shard, claimed)),
        x.claim?.queues,
      ),
      held: this.held,
      dropped: told.flatMap(({ dropped }, shard) => this.#lanes.dropped(shard, dropped)),
      parked: [...new Set(told.flatMap(({ parked }) => parked))],
      batches: [...new Set(told.flatMap(({ batches }) => batches))],
      more: this.members.some(({ more, busy }) => more && !busy),
    }
    if (wakes.length > 0) answer.wakeAt = Math.min(...wakes)
    this.#answered = { seq: x.seq, answer }
    return answer
  }
}

/** What comes from several shards: by queue as asked for, then by priority. */
function inOrder(claimed: Claimed[], queues: readonly string[] = []): Claimed[] {
  const rank = ({ queue }: Claimed) => (queues.includes(queue) ? queues.indexOf(queue) : queues.length)
  return claimed.sort((a, b) => rank(a) - rank(b) || a.priority - b.priority)
}
