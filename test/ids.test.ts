import { expect, it } from 'vitest'
import { formatId, idsIn, parseId } from '../src/task.js'

it('the ids of a lane are the same, whichever come before them', () => {
  const idAt = idsIn('original', 37)
  const positions = [0, 1, 35, 36, 37, 1_295, 1_296, 5, 0, 2 ** 40, 2 ** 40 + 1, 36 ** 9 - 1, 36 ** 9]
  expect(positions.map(idAt)).toEqual(positions.map((position) => formatId('original', 37, position)))
  expect(positions.map((position) => parseId(idAt(position))?.position)).toEqual(positions)
})
