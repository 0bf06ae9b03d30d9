// A Worker with a queue in a Durable Object. The page in public/ talks to it; handlers run in the object, from its alarm.
import { TaskQueue } from 'sitq'
import { DurableObjectBackend, type ObjectNamespace, QueueObject } from 'sitq/durable-object'
import { type Handlers, handlers } from '../../demo/handlers.js'
import { generateUsers } from '../../demo/jobs/generate.js'
import { items } from '../../demo/jobs/samples.js'

interface Env {
  JOBS: ObjectNamespace
  /** Set for trying things out: anybody may take the object down then. */
  ALLOW_RESTART?: string
}

export class Jobs extends QueueObject<Env, Handlers> {
  override settings = { handlers }

  /** As when Cloudflare moves it or a new version is deployed: everything in memory is gone. */
  restart(): void {
    this.ctx.abort('Asked to.')
  }
}

const MOST = 20_000

/** A request's own: what one has opened, another cannot use. */
function queueFor(env: Env): TaskQueue<Handlers> {
  return new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ namespace: env.JOBS, name: 'users' }) })
}

async function answer(request: Request, env: Env): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url)
  const [, , what, id, part] = pathname.split('/')
  const queue = queueFor(env)
  try {
    if (what === 'batches' && request.method === 'POST') {
      const users = Math.min(MOST, Math.max(1, Number(searchParams.get('users')) || 1_000))
      const batch = await queue.enqueueMany('validateUser', items(generateUsers(users)), { id: crypto.randomUUID() })
      return Response.json({ id: batch.id })
    }
    if (what === 'batches' && id) {
      const batch = await queue.batch<'validateUser'>(id)
      if (!batch) return Response.json({ error: 'There is no such batch (any more).' }, { status: 404 })
      if (part === 'results') return Response.json(await batch.collect({ timeout: 0 }))
      return Response.json(await batch.progress())
    }
    if (what === 'restart' && request.method === 'POST' && env.ALLOW_RESTART) {
      const stub: Partial<Pick<Jobs, 'restart'>> = env.JOBS.getByName('users')
      await Promise.resolve(stub.restart?.()).catch(() => {}) // it goes down before it can answer
      return Response.json({})
    }
    return Response.json({ error: 'There is nothing here.' }, { status: 404 })
  } finally {
    await queue.close()
    await queue.backend.close()
  }
}

// biome-ignore lint/style/noDefaultExport: that is what a Worker is.
export default { fetch: answer }
