import type { BatchView, NewTask } from '../backend.js'
import { checkKnown, checkNumber, checkText } from '../checks.js'
import { cloneOf } from '../cloneable.js'
import { ClosedError, InvalidOptionError, StorageError } from '../errors.js'
import type { Stage } from '../plan/records.js'
import { randomText } from '../random.js'
import { nextTurn } from '../turn.js'
import { type Chunk, Chunker, type Inputs } from './chunks.js'
import type { Client } from './client.js'
import { type EnqueueOptions, enqueueOptions, taskTemplate } from './options.js'

export interface EnqueueManyOptions extends EnqueueOptions {
  /**
   * Id of the batch. With one of your own the call can be repeated after an interruption: inputs that were stored before
   * are passed over. Default: a random one.
   */
  id?: string
  /** Most tasks in a chunk; each is stored whole or not at all. Default 4,096, or about 4 MB; of an async iterable, what came in a second. */
  chunkSize?: number
  /** The batch stays open after the last input, so that handlers can add to it, until `batch.end()`. Default false. */
  open?: boolean
  /**
   * Told after every chunk how many inputs are stored, those of earlier calls included. What it throws ends the call like what the
   * inputs throw: chunks that are stored stay, and the batch stays open unless the last one is.
   */
  onProgress?: (progress: { stored: number }) => void
  /**
   * Aborting it ends the call, which rejects with its reason, and takes no more inputs. Chunks that are stored, or being stored, stay, and
   * their tasks run; the batch stays open, for another call with its id, or for `batch.end()` or `batch.cancel()`.
   */
  signal?: AbortSignal
}

const known = [...enqueueOptions, 'id', 'chunkSize', 'open', 'onProgress', 'signal']
const CHUNK_TASKS = 4_096
const ID_LENGTH = 20

/** Stores tasks chunk by chunk as one batch; of a pipeline, if there are stages. Resolves with the batch's id. */
export async function enqueueMany(
  client: Client,
  name: string,
  inputs: Inputs<unknown>,
  asked: EnqueueManyOptions,
  stages?: Stage[],
): Promise<string> {
  client.check()
  checkKnown('options', asked, known)
  const options = { ...asked } // read once: what was checked is what is stored
  const { input: _, ...template } = taskTemplate(name, options, client.clock)
  const size = checkNumber('chunkSize', options.chunkSize ?? CHUNK_TASKS, 1, 100_000, true)
  const id = options.id === undefined ? randomText(ID_LENGTH) : checkText('id', options.id)
  options.signal?.throwIfAborted()
  const chunker = new Chunker(inputs, size, client.clock)
  try {
    const before = options.id === undefined ? undefined : await client.backend.batch(id)
    if (before) checkSame(before, stages)
    if (before && !before.open) {
      chunker.stop()
      return id
    }
    await storeAll({ client, chunker, template, id, stages, options, skip: before?.imported ?? 0 })
    return id
  } catch (error) {
    chunker.stop()
    throw error
  }
}

interface Import {
  client: Client
  chunker: Chunker
  template: Omit<NewTask, 'input'>
  id: string
  stages: Stage[] | undefined
  options: EnqueueManyOptions
  /** Inputs that are stored already. */
  skip: number
}

/** A chunk on its way: how many of its inputs the batch had already. */
interface Storing {
  chunk: Chunk
  ignored: Promise<Settled<number>>
}

/** While one chunk is being committed, the next is collected and handed over. There are never more than two. */
async function storeAll(job: Import): Promise<void> {
  let storing = await handOver(job)
  for (;;) {
    // A turn of the event loop each; collecting may take long, and does not wait in between.
    const next = storing.chunk.last ? undefined : settled(nextTurn().then(() => handOver(job)))
    const end = await finish(job, storing)
    if (end === 'closed') return job.chunker.stop()
    const handed = await next
    if (!handed) return
    if (!handed.ok) throw handed.error
    storing = handed.value
    // It was refused: it goes on from the one before.
    if (end === 'stored late') storing = { ...storing, ignored: storing.ignored.then(() => store(job, storing.chunk)) }
  }
}

async function handOver(job: Import): Promise<Storing> {
  const chunk = await collect(job)
  job.client.check()
  job.options.signal?.throwIfAborted()
  // Nobody waits for it any more.
  if (job.chunker.stopped) throw new ClosedError('queue')
  return { chunk, ignored: store(job, chunk) }
}

/** Waits for a chunk to be stored. `'closed'`: the batch takes no more. `'stored late'`: not at once. */
async function finish(job: Import, { chunk, ignored }: Storing): Promise<'stored' | 'stored late' | 'closed'> {
  const first = await ignored
  const answer = first.ok ? first : await store(job, copied(chunk, first.error))
  if (!answer.ok) throw answer.error
  job.client.added([job.template.queue])
  if (answer.value > 0) {
    // Another import of the same batch is ahead of this one, or the batch was cancelled.
    const view = await job.client.backend.batch(job.id)
    if (view && !view.open) return 'closed'
    job.skip = Math.max(job.skip, view?.imported ?? 0)
  }
  job.options.onProgress?.({ stored: Math.max(job.skip, chunk.offset + chunk.inputs.length) })
  return first.ok ? 'stored' : 'stored late'
}

/** A promise that is awaited late must not count as unhandled in the meantime. */
type Settled<T> = { ok: true; value: T } | { ok: false; error: unknown }
const settled = <T>(work: Promise<T>): Promise<Settled<T>> =>
  work.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  )

function collect({ client, chunker, options, skip }: Import): Promise<Chunk> {
  return new Promise((resolve, reject) => {
    const stop = client.onEnd([options.signal], reject)
    chunker.next(skip).then(resolve, reject).finally(stop)
  })
}

function store({ client, template, id, stages, options }: Import, { offset, inputs, sizes, last }: Chunk) {
  const { durability, open = false } = options
  const batch = { id, queue: template.queue, offset, open: !last || open, ...(stages ? { stages } : {}) }
  const how = { now: client.clock.now(), batch, ...(durability ? { durability } : {}) }
  return settled(client.backend.addAlike({ ...template, inputs, sizes }, how))
}

/**
 * Proxies are only found out when they are stored: here are copies of what they show. The chunk they are in was not stored.
 * Throws what is in the way of that, or the error if it was not about the inputs.
 */
function copied(chunk: Chunk, error: unknown): Chunk {
  if (!(error instanceof StorageError && error.code === 'uncloneable')) throw error
  return { ...chunk, inputs: chunk.inputs.map((input, i) => cloneOf(input, `input[${chunk.offset + i}]`)) }
}

function checkSame({ id, stages: before }: BatchView, stages: Stage[] | undefined): void {
  const shape = (of: Stage[] | undefined) =>
    JSON.stringify(of?.map((s) => [s.kind, 'field' in s ? { field: s.field } : s.name]))
  if (shape(before) === shape(stages)) return
  const what = before ? 'a run of a pipeline with other stages' : 'a batch, not a run of a pipeline'
  throw new InvalidOptionError('id', `'${id}' is ${what}. Give an id of its own, or the same stages as before.`)
}
