import type { Cut } from './fault.js'

const QUOTE = 0x22
const LF = 0x0a
const CR = 0x0d
const SPACE = 0x20

/**
 * Cuts bytes that begin with a row at row ends. The bytes of the delimiter, quotes and line ends stand for nothing else in
 * UTF-8 and in all single-byte encodings, so nothing needs decoding to find them. An end inside quotes is none.
 * @param last no bytes follow these: the last row need not have an end
 */
export function cutCsv(bytes: Uint8Array, delimiter: string, decoder: TextDecoder, last: boolean): Cut {
  const comma = delimiter.charCodeAt(0)
  const cut: Cut = { rows: [], starts: [], end: 0, complete: false }
  let state: 'start' | 'plain' | 'quoted' | 'closed' = 'start'
  let column = 1
  let opened = 0
  let closed = 0
  const endRow = (end: number, next: number) => {
    const at = state === 'closed' ? closed : end // blanks after the last quote belong to nothing
    if (at > cut.end) {
      cut.rows.push(decoder.decode(bytes.subarray(cut.end, at)))
      cut.starts.push(cut.end)
    }
    cut.end = next
    state = 'start'
    column = 1
  }
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (state === 'quoted') {
      if (byte !== QUOTE) continue
      if (bytes[at + 1] === QUOTE) at++
      else {
        state = 'closed'
        closed = at + 1
      }
    } else if (byte === comma) {
      state = 'start'
      column++
    } else if (byte === LF) endRow(at, at + 1)
    else if (byte === CR) {
      if (at + 1 === bytes.length && !last) break // its line feed may be the next byte
      const next = bytes[at + 1] === LF ? at + 2 : at + 1
      endRow(at, next)
      at = next - 1
    } else if (state === 'closed') {
      if (byte === SPACE) continue
      return { ...cut, fault: { at, column, message: 'there is text after the closing quote' } }
    } else if (byte === QUOTE && state === 'start') {
      state = 'quoted'
      opened = at
    } else state = 'plain'
  }
  if (!last) return cut
  if (state === 'quoted')
    return { ...cut, fault: { at: opened, column, message: 'a quote is opened and never closed' } }
  endRow(bytes.length, bytes.length)
  cut.complete = true
  return cut
}
