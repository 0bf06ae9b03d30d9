/** What every task and every record of a baseline carries: 150–300 bytes, as real tasks do. */
export interface Item {
  id: number
  text: string
}

export const item = (id: number): Item => ({ id, text: `task ${id} `.padEnd(200, 'abcdefghij') })

export const items = (count: number): Item[] => Array.from({ length: count }, (_, id) => item(id))

export function* generated(count: number): Generator<Item> {
  for (let id = 0; id < count; id++) yield item(id)
}

/** The present on a clock that the threads of a browser share, in ms with fractions. */
export const present = () => performance.timeOrigin + performance.now()

export function isItem(value: unknown, id: number): boolean {
  const { text } = item(id)
  return (
    typeof value === 'object' &&
    value !== null &&
    'id' in value &&
    value.id === id &&
    'text' in value &&
    value.text === text
  )
}
