import { DurableObjectBackend } from 'sitq/durable-object'
import { backendConformance } from '../../test/backend.conformance.js'
import { env, storageOf } from './here.js'

const seqOnly = (key: string, value: unknown) => (['settle', 'claim'].includes(key) ? undefined : value)

/** Does what it is asked twice, and loses the first answer. */
function losing(stub: object, asked: Set<unknown>): object {
  const method: unknown = Reflect.get(stub, 'sitq')
  const sitq = async (call: { id?: string; method: string; args: unknown[] }) => {
    const answer: unknown = typeof method === 'function' && (await Reflect.apply(method, stub, [call]))
    // What could not be sent as it is comes as a copy.
    const key = call.id ?? (call.method === 'exchange' ? JSON.stringify(call.args, seqOnly) : call)
    if (asked.delete(key)) return answer
    asked.add(key)
    throw new Error('Network connection lost.')
  }
  return { sitq }
}

backendConformance('DurableObjectBackend', async () => {
  const name = crypto.randomUUID()
  const namespace = env().PLAIN
  const backend = new DurableObjectBackend({ namespace, name })
  return { backend, storage: storageOf(namespace.getByName(name)), repeats: false, close: () => backend.close() }
})

backendConformance('DurableObjectBackend that loses its answers', async () => {
  const name = crypto.randomUUID()
  const namespace = env().PLAIN
  const asked = new Set()
  const backend = new DurableObjectBackend({ stub: () => losing(namespace.getByName(name), asked) })
  return { backend, storage: storageOf(namespace.getByName(name)), repeats: true, close: () => backend.close() }
})
