import { DurableObjectBackend } from 'sitq/durable-object'
import { backendConformance } from '../../test/backend.conformance.js'
import { env, storageOf } from './here.js'

backendConformance('DurableObjectBackend', async () => {
  const name = crypto.randomUUID()
  const namespace = env().PLAIN
  const backend = new DurableObjectBackend({ namespace, name })
  return { backend, storage: storageOf(namespace.getByName(name)), repeats: false, close: () => backend.close() }
})
