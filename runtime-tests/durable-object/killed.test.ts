import { TaskQueue } from 'sitq'
import { DurableObjectBackend } from 'sitq/durable-object'
import { expect, it } from 'vitest'
import { audit } from '../../test/support/audit.js'
import type { Handlers } from './handlers.js'
import { env, here, KILLED, storageOf } from './here.js'

it('a runtime that was killed again and again in the middle loses nothing and ends every task once', async () => {
  const namespace = env().WORKING
  const ids = here.acknowledged ?? []
  expect(new Set(ids).size).toBe(4 * 202)
  const began = Date.now()
  const queue = new TaskQueue<Handlers>({ backend: new DurableObjectBackend({ namespace, name: KILLED }) })
  const results = await Promise.all(ids.map((id) => queue.getResult(id, { timeout: 25_000 })))
  expect(new Set(results.map((result) => result?.status))).toEqual(new Set(['completed']))
  // Long before a lease would have run out (30 s).
  expect(Date.now() - began).toBeLessThan(25_000)
  const counts = await queue.counts()
  expect(counts).toMatchObject({ completed: ids.length, available: 0, running: 0, scheduled: 0, failed: 0 })
  // At least once: what was running when the runtime was killed ran again.
  const ran = await namespace.getByName(KILLED).ran()
  const noted = new Set(Array.isArray(ran) ? ran : [])
  expect(noted.size).toBe(ids.length)
  await audit(storageOf(namespace.getByName(KILLED)))
  await queue.close()
}, 30_000)
