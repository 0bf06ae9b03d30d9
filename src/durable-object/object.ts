import { DurableObject } from 'cloudflare:workers'
import type { Exchange, Exchanged } from '../backend.js'
import type { HandlerMap } from '../handlers.js'
import { LocalBackend, type LocalOptions } from '../local.js'
import { TaskQueue } from '../queue.js'
import type { HostId } from '../task.js'
import { Alarm } from './alarm.js'
import { HintRing } from './hints.js'
import type { ObjectState } from './platform.js'
import type { AnyCall, Reply } from './protocol.js'
import { Server } from './served.js'
import { type QueueObjectSettings, Settings } from './settings.js'
import { ObjectKVStorage } from './storage.js'
import { Turns } from './turns.js'

/** Under which the object remembers who runs tasks in it. */
const INSIDE = 'sitq:inside'

/**
 * A Durable Object that is a queue's database. Export a class of yours and bind it; `DurableObjectBackend` is the other end:
 *
 * ```ts
 * export class Jobs extends QueueObject<Env> {
 *   override settings = { handlers }
 * }
 * ```
 *
 * With `handlers`, tasks run in the object, from its alarm. Without, whoever has the binding runs them with a TaskWorker.
 * Both at once work too. Its class must be in `new_sqlite_classes`.
 *
 * Methods that you add are methods of the object as ever; `this.queue` is the queue in it. One that needs `alarm()` for
 * something else calls `super.alarm()` too, and must know that the queue sets the alarm as it needs it.
 */
export class QueueObject<Env = unknown, Handlers extends HandlerMap = HandlerMap> extends DurableObject<Env> {
  /** Read when the object first does something, not before: `this.env` is there. */
  settings: QueueObjectSettings = {}
  /** For code in the object. */
  protected readonly queue: TaskQueue<Handlers>
  readonly #server: Server
  readonly #turns: Turns

  constructor(ctx: ObjectState, env: Env) {
    super(ctx, env)
    const settings = new Settings(() => this.settings)
    const { clock } = settings
    const { storage: platform } = ctx
    const alarm = new Alarm(platform, settings)
    const storage = new ObjectKVStorage(platform, { written: (writes, look) => alarm.written(writes, look) })
    const inside = {
      began: (host: HostId) => platform.kv?.put(INSIDE, host),
      ended: () => platform.kv?.delete(INSIDE),
    }
    const channel = new HintRing(clock, inside)
    const backend = new ObjectBackend({ storage, channel, clock }, () => platform.sync())
    this.queue = new TaskQueue<Handlers>({ backend, clock })
    this.#server = new Server(backend, channel, clock)
    this.#turns = new Turns({ queue: this.queue, backend, storage, alarm, settings })
    void ctx.blockConcurrencyWhile(async () => {
      await alarm.load()
      const host = platform.kv?.get(INSIDE)
      if (typeof host === 'string') await this.#turns.bury(host)
      inside.ended()
      await this.#turns.look()
    })
  }

  /** For `DurableObjectBackend`. */
  sitq(call: AnyCall): Promise<Reply<unknown>> {
    return this.#server.answer(call)
  }

  /** Called by the platform when the alarm goes off: at least once, maybe late. */
  alarm(): Promise<void> {
    return this.#turns.run()
  }
}

class ObjectBackend extends LocalBackend {
  readonly #sync: () => Promise<void>

  constructor(options: LocalOptions, sync: () => Promise<void>) {
    super(options)
    this.#sync = sync
  }

  /**
   * What is claimed is stored before it runs. Elsewhere the output gate sees to that; a handler in the object would begin in the
   * same breath, and if it took the object down, nothing of its claim would be left to charge it with.
   */
  override async exchange(exchange: Exchange): Promise<Exchanged> {
    const answer = await super.exchange(exchange)
    if (answer.claimed.length > 0) await this.#sync()
    return answer
  }
}
