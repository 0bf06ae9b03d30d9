// The tests in a Worker, which reaches Durable Objects by their bindings.
import { systemClock, TaskQueue } from 'sitq'
import { DurableObjectBackend, QueueObject } from 'sitq/durable-object'
import { ObjectKVStorage } from '../../src/durable-object/storage.js'
import { stores } from '../../src/plan/records.js'
import type { RawRead } from '../../src/storage.js'
import { NOW } from '../../test/backend/bench.js'
import { type Handlers, handlersOf } from './handlers.js'
import { type Env, here, KILLED, type Looking, type Probing } from './here.js'
import { telling } from './telling.js'

/** Nothing runs in it, and its time is the one that the tests begin with. */
export class Plain extends QueueObject implements Looking {
  override settings = { clock: { ...systemClock, now: () => NOW } }

  look(reads: RawRead[]) {
    return looked(this.ctx, reads)
  }
}

/** Tasks run in it, unless it is named `idle…`. */
export class Working extends QueueObject<Env, Handlers> implements Looking, Probing {
  #ahead = 0
  readonly #runs = (note: string) => this.ctx.storage.kv?.put(`run:${String(this.#ran++).padStart(6, '0')}`, note)
  #ran = this.ran().length
  readonly #handlers = handlersOf({ ran: this.#runs, die: () => this.die() })
  override settings = {
    ...(this.ctx.id.name?.startsWith('idle') ? {} : { handlers: this.#handlers }),
    clock: { ...systemClock, now: () => Date.now() + this.#ahead },
    // That one is killed more often than a task may be to blame for.
    maxCrashes: this.ctx.id.name === KILLED ? 9 : 3,
  }

  look(reads: RawRead[]) {
    return looked(this.ctx, reads)
  }

  die(): void {
    this.ctx.abort('A test takes it down.')
  }

  ring(): Promise<void> {
    return this.alarm()
  }

  /** The platform's clock is not ours to move: only what the object takes for the time. */
  jump(ms: number): void {
    this.#ahead += ms
  }

  async alarmIn(): Promise<number | undefined> {
    const at = await this.ctx.storage.getAlarm()
    return at === null ? undefined : at - Date.now()
  }

  async forgetAlarm(): Promise<void> {
    await this.ctx.storage.deleteAlarm()
  }

  ran(): string[] {
    const found = this.ctx.storage.kv?.list({ start: 'run:', end: 'run;' }) ?? []
    return [...found].map(([, note]) => String(note))
  }

  async enqueueInside(input: string): Promise<string> {
    return (await this.queue.enqueue('echo', input)).id
  }
}

function looked(ctx: QueueObject['ctx'], reads: RawRead[]) {
  return new ObjectKVStorage(ctx.storage).run(
    function* () {
      yield reads
      return { writes: [], value: reads.map(({ keys, found }) => ({ keys, found })) }
    },
    { stores, write: false },
  )
}

/** Work for an object that will be killed in the middle of it. Resolves to the ids of what was acknowledged. */
async function prepare(env: Env, round: number): Promise<string[]> {
  const queue = new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ namespace: env.WORKING, name: KILLED }) })
  const long = await queue.enqueue('wait', { ms: 400, note: `long ${round}` })
  const batch = Array.from({ length: 200 }, (_, i) => queue.enqueue('wait', { ms: 2, note: `${round}.${i}` }))
  const late = await queue.enqueue('echo', `late ${round}`, { delay: 300 })
  const tasks = [long, ...(await Promise.all(batch)), late]
  return tasks.map(({ id }) => id)
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    here.env = env
    const { pathname, searchParams } = new URL(request.url)
    if (pathname === '/prepare') return Response.json(await prepare(env, Number(searchParams.get('round'))))
    here.acknowledged = await request.json()
    return telling()
  },
}
