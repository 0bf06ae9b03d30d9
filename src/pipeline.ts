import { Batch } from './batch.js'
import { checkKnown, checkText } from './checks.js'
import type { Inputs } from './client/chunks.js'
import { type Client, clientOf } from './client/client.js'
import { type EnqueueManyOptions, enqueueMany } from './client/enqueue-many.js'
import type { BatchProgress, StageProgress } from './client/progress.js'
import type { TaskInput } from './client/typed.js'
import { InvalidOptionError } from './errors.js'
import type { HandlerMap, NameOf, OutputOf } from './handlers.js'
import type { Stage } from './plan/records.js'
import type { TaskQueue } from './queue.js'

/** Names of the handlers that take this item. */
export type MapperOf<Handlers, Item> = {
  [Name in NameOf<Handlers>]: [Item] extends [TaskInput<Handlers[Name]>] ? Name : never
}[NameOf<Handlers>]

/** Names of the handlers that take this item and return a boolean. */
export type JudgeOf<Handlers, Item> = {
  [Name in MapperOf<Handlers, Item>]: [OutputOf<Handlers[Name]>] extends [boolean] ? Name : never
}[MapperOf<Handlers, Item>]

/** Names of the item's fields that are booleans, in every variant of it. */
export type FlagOf<Item> = Extract<
  { [Field in keyof Item]-?: [Item[Field]] extends [boolean] ? Field : never }[keyof Item],
  string
>

/** What is left of an item's variants if this field is true. */
export type Kept<Item, Field> = Field extends keyof Item ? (Item extends { [F in Field]: false } ? never : Item) : Item

/** How far a run is, and what became of the items at each stage. */
export interface RunProgress extends BatchProgress {
  dropped: number
  stages: StageProgress[]
}

/** One run of a pipeline: a batch whose items go from stage to stage. Items that a filter left out have no result. */
export class PipelineRun<Output = unknown> extends Batch<Output> {
  override async progress(): Promise<RunProgress> {
    const { dropped = 0, stages = [], ...progress } = await super.progress()
    return { ...progress, dropped, stages }
  }
}

/**
 * Stages of handlers where each stage's output is the next one's input. Names and order only: plain data, stored with
 * each run. A stage adds to a copy, so that pipelines can share a beginning.
 */
export class Pipeline<Handlers extends HandlerMap, Input, Item> {
  readonly name: string
  readonly #stages: readonly Stage[]

  /** @internal Applications begin with `pipeline()`. */
  constructor(name: string, stages: readonly Stage[]) {
    this.name = name
    this.#stages = stages
  }

  /** Gives each item to a handler; what it returns is the item from there on. */
  map<Name extends MapperOf<Handlers, Item>>(handler: Name): Pipeline<Handlers, Input, OutputOf<Handlers[Name]>> {
    return new Pipeline(this.name, [...this.#stages, mapStage(handler)])
  }

  /** Keeps the items whose field is true. Costs no task: it is judged in the transaction that ends the stage before. */
  filter<Field extends FlagOf<Item>>(field: Field): Pipeline<Handlers, Input, Kept<Item, Field>>
  /** Keeps the items, as they are, for which the handler returns true. */
  filter(by: { handler: JudgeOf<Handlers, Item> }): Pipeline<Handlers, Input, Item>
  filter(by: string | { handler: string }): Pipeline<Handlers, Input, unknown> {
    return new Pipeline(this.name, [...this.#stages, filterStage(by)])
  }

  /**
   * Stores the inputs and lets them go through. With an `id` of your own, calling it again after an interruption goes on
   * where it stopped. Takes the options of enqueueMany, which hold for the tasks of all stages; each stage goes one
   * priority before the one it follows. Throws like enqueueMany, and InvalidOptionError if the id is taken by something else.
   */
  async run(
    queue: TaskQueue<Handlers>,
    inputs: Inputs<Input>,
    options: EnqueueManyOptions = {},
  ): Promise<PipelineRun<Item>> {
    const [first] = this.#stages
    if (!first || 'field' in first) {
      throw new InvalidOptionError(
        'stages',
        `Pipeline '${this.name}' must begin with map('…'), which takes the inputs.`,
      )
    }
    const client = clientOf(queue)
    const stages = this.#stages.map((stage) => ({ ...stage }))
    return new PipelineRun(await enqueueMany(client, first.name, inputs, options, stages), client)
  }

  /** The run with this id, also after a reload; undefined if there is none. */
  async find(queue: TaskQueue<Handlers>, id: string): Promise<PipelineRun<Item> | undefined> {
    const client: Client = clientOf(queue)
    client.check()
    const view = await client.backend.batch(checkText('id', id))
    return view?.stages && new PipelineRun(id, client)
  }
}

/** A pipeline that has no stages yet: its first one fixes what it takes. */
export interface PipelineStart<Handlers extends HandlerMap> {
  readonly name: string
  map<Name extends NameOf<Handlers>>(
    handler: Name,
  ): Pipeline<Handlers, TaskInput<Handlers[Name]>, OutputOf<Handlers[Name]>>
}

/** Begins a pipeline: `pipeline<Handlers>('users').map('validate').filter('is_valid').map('process')`. */
export function pipeline<Handlers extends HandlerMap>(name: string): PipelineStart<Handlers> {
  checkText('name', name)
  return {
    name,
    map: (handler) => new Pipeline(name, [mapStage(handler)]),
  }
}

const counts = { completed: 0, failed: 0, dropped: 0, cancelled: 0 }

function mapStage(handler: string): Stage {
  return { kind: 'map', name: checkText('handler', handler), ...counts }
}

function filterStage(by: string | { handler: string }): Stage {
  if (typeof by === 'string') return { kind: 'filter', field: checkText('field', by), ...counts }
  checkKnown('filter', by, ['handler'])
  return { kind: 'filter', name: checkText('handler', by.handler), ...counts }
}
