/** For looking at values that others made: nothing here throws, whatever they are. */

/** A property; undefined too if there is no telling: a getter or a Proxy's trap throws. */
export function peek(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined
  try {
    return Reflect.get(value, key)
  } catch {
    return undefined
  }
}

/** Text of at most `most` characters; an ellipsis stands for what was cut off. */
export function clipped(text: string, most: number): string {
  if (text.length <= most) return text
  // Not in the middle of a pair: half an emoji is no text.
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`
}
