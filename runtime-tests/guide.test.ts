import { squares } from 'sitq-runtime-tests/guide'
import { expect, it } from 'vitest'

it('what docs/edge.md shows runs', async () => {
  const results = await squares([1, 2, 3])
  expect(results.map((result) => result.status === 'completed' && result.value)).toEqual([1, 4, 9])
})
