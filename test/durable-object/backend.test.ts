import { expect, it } from 'vitest'
import { DurableObjectBackend } from '../../src/durable-object/backend.js'

it('asks again for what was lost together on one new stub, where it stays in order', async () => {
  const asked: [stub: number, queue: unknown][] = []
  let stubs = 0
  const stub = () => {
    const mine = stubs++
    return {
      async sitq({ args: [queue] }: { args: unknown[] }) {
        asked.push([mine, queue])
        if (mine === 0) throw new Error('Network connection lost.')
        return { ok: true, value: queue }
      },
    }
  }
  const backend = new DurableObjectBackend({ stub })
  expect(await Promise.all(['a', 'b', 'c'].map((queue) => backend.counts(queue)))).toEqual(['a', 'b', 'c'])
  expect(asked).toEqual([
    [0, 'a'],
    [0, 'b'],
    [0, 'c'],
    [1, 'a'],
    [1, 'b'],
    [1, 'c'],
  ])
})
