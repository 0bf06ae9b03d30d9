import { checkKnown, checkNumber } from '../checks.js'
import { type Clock, systemClock } from '../clock.js'
import type { HandlerMap } from '../handlers.js'
import { AGE } from '../plan/prune.js'
import type { RetentionOptions } from '../worker.js'

/** How a QueueObject works. All of it is optional. */
export interface QueueObjectSettings {
  /** Run in the object, from its alarm. Absent: tasks wait for workers elsewhere. */
  handlers?: HandlerMap
  /** Attempts at one time. Default 10: all share the object's one thread, but most wait for I/O. */
  concurrency?: number
  /** Order in which queues are served; those not named come last. Default: none is preferred. */
  queues?: readonly string[]
  /**
   * One alarm starts tasks for so long, in ms; the next one goes on at once. Default 20,000: an event in an object may use 30 s
   * of CPU, unless the Worker's `limits.cpu_ms` says more. Handlers that mostly wait allow minutes.
   */
  turn?: number
  /**
   * What runs at the end of a turn has so long to end, in ms; then it is aborted, and starts again in the next turn. Nothing
   * new begins meanwhile. Default 300,000. An alarm ends after 15 minutes at the latest: `turn` and `grace` stay below 14.
   */
  grace?: number
  /** A task that was running so many times when the object went down fails as `crashed`. Default 3. */
  maxCrashes?: number
  /** How long ended tasks are kept. Default: 7 days, and 100,000 tasks outside of batches. */
  retention?: Omit<RetentionOptions, 'whenFull'>
  /** Default: the system's. */
  clock?: Clock
  /** Errors that nobody waits for. Default console.error. */
  onError?: (error: unknown) => void
}

/** A record, so that a setting that is missing here does not compile. */
const NAMES: Record<keyof QueueObjectSettings, true> = {
  handlers: true,
  concurrency: true,
  queues: true,
  turn: true,
  grace: true,
  maxCrashes: true,
  retention: true,
  clock: true,
  onError: true,
}
/** An alarm's longest turn with its grace, in ms: the platform ends it after 15 minutes. */
const LONGEST = 840_000

/** The settings with their defaults, looked up when they are needed: a subclass has them only once it is made. */
export class Settings {
  readonly #given: () => QueueObjectSettings
  #checked: QueueObjectSettings | undefined
  readonly clock: Clock = {
    now: () => this.#clock.now(),
    monotonic: () => this.#clock.monotonic(),
    timer: (ms, fire) => this.#clock.timer(ms, fire),
  }

  constructor(given: () => QueueObjectSettings) {
    this.#given = given
  }

  get #clock(): Clock {
    return this.#given().clock ?? systemClock
  }

  /** Throws InvalidOptionError. */
  get #of(): QueueObjectSettings {
    if (this.#checked) return this.#checked
    const given = this.#given()
    checkKnown('settings', given, Object.keys(NAMES))
    const { turn = 0, grace = 0 } = given
    checkNumber('settings.turn', turn, 0, LONGEST)
    checkNumber('settings.grace', grace, 0, LONGEST - turn)
    this.#checked = given
    return given
  }

  get handlers(): HandlerMap | undefined {
    return this.#of.handlers
  }
  /** For a TaskWorker and its executor, which check them. */
  get concurrency(): number {
    return this.#of.concurrency ?? 10
  }
  get queues(): readonly string[] {
    return this.#of.queues ?? []
  }
  get turn(): number {
    return this.#of.turn ?? 20_000
  }
  get grace(): number {
    return this.#of.grace ?? Math.min(300_000, LONGEST - this.turn)
  }
  get maxCrashes(): number {
    return this.#of.maxCrashes ?? 3
  }
  get retention(): Omit<RetentionOptions, 'whenFull'> {
    return this.#of.retention ?? {}
  }
  get age(): number {
    return this.retention.age ?? AGE
  }
  get runs(): boolean {
    return this.handlers !== undefined
  }
  readonly onError = (error: unknown): void => {
    try {
      const { onError = (reason: unknown) => console.error(reason) } = this.#given()
      onError(error)
    } catch {
      // Whoever is told of errors may not make new ones.
    }
  }
}
