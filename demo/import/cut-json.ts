import type { Cut } from './fault.js'

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d]
const blank = (byte: number | undefined) => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

/**
 * Cuts the inside of a JSON list, or JSON Lines, into its elements, without parsing them. The bytes begin where an element
 * ended, or with the first one.
 * @param first no element came before these bytes
 * @param last no bytes follow these
 */
export function cutJson(bytes: Uint8Array, kind: 'list' | 'lines', first: boolean, last: boolean): Cut {
  const decoder = new TextDecoder()
  const cut: Cut = { rows: [], starts: [], end: 0, complete: false }
  const skip = (from: number) => {
    let at = from
    while (blank(bytes[at])) at++
    return at
  }
  for (;;) {
    let at = skip(cut.end)
    if (kind === 'list' && bytes[at] === CLOSE_BRACKET) return closed(bytes, cut, skip(at + 1))
    if (at >= bytes.length) {
      if (last && kind === 'list') return { ...cut, fault: { at, message: 'the list is not closed: ] is missing' } }
      return { ...cut, complete: last }
    }
    if (kind === 'list' && !(first && cut.rows.length === 0)) {
      if (bytes[at] !== COMMA) return { ...cut, fault: { at, message: 'expected , or ] after the record' } }
      at = skip(at + 1)
    }
    const end = elementEnd(bytes, at)
    if (end === undefined || (end === bytes.length && !last)) {
      if (last && at < bytes.length) return { ...cut, fault: { at, message: 'the record is not closed' } }
      if (last) return { ...cut, fault: { at, message: 'expected a record after the comma' } }
      return cut
    }
    if (end === at) return { ...cut, fault: { at, message: 'expected a record' } }
    cut.rows.push(decoder.decode(bytes.subarray(at, end)))
    cut.starts.push(at)
    cut.end = end
  }
}

function closed(bytes: Uint8Array, cut: Cut, at: number): Cut {
  if (at < bytes.length) return { ...cut, fault: { at, message: 'there is text after the end of the list' } }
  return { ...cut, end: bytes.length, complete: true }
}

/** The end of the value that begins at `from`; undefined if the bytes end before it does. */
function elementEnd(bytes: Uint8Array, from: number): number | undefined {
  let depth = 0
  for (let at = from; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === QUOTE) {
      at++
      while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
      if (at >= bytes.length) return undefined
      if (depth === 0) return at + 1
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at
      depth--
      if (depth === 0) return at + 1
    } else if (depth === 0 && (byte === COMMA || blank(byte))) return at
  }
  return depth === 0 && from < bytes.length ? bytes.length : undefined
}
