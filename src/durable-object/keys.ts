/**
 * Keys as text that SQLite orders as `compareKeys` orders the keys: all of it is ASCII, where bytes, characters and code
 * units are in the same order. No key's text begins another's, so that whatever is put behind one comes right after it.
 */
import { isList, type Key } from '../keys.js'

/** What a key begins with, in order. */
const NUMBER = '1'
const DATE = '2'
const TEXT = '3'
const BUFFER = '4'
const LIST = '5'
/** Ends a list: before whatever could follow in a longer one. */
const LIST_END = '0'
/** Ends a number: before all digits. */
const NUMBER_END = ','
/** Ends a text: before whatever could follow in a longer one. */
const TEXT_END = ' '

/** 64 digits in the order of ASCII. */
const DIGITS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
const VALUES = new Map([...DIGITS].map((digit, value) => [digit, value]))
/** Of a number: 64 bits. */
const NUMBER_DIGITS = 11

/** Stand for themselves in texts; those before are written as LOW and a digit, those after as HIGH and three. */
const FIRST_PLAIN = 0x23
const LAST_PLAIN = 0x7d
const LOW = '!'
const HIGH = '~'
const PLAIN = /^[#-}]*$/

/** Throws for NaN, which has no order: IndexedDB refuses it too. */
export function encodeKey(key: Key): string {
  if (typeof key === 'number') return NUMBER + encodeNumber(key)
  if (typeof key === 'string') return TEXT + encodeText(key)
  if (isList(key)) return LIST + key.map(encodeKey).join('') + LIST_END
  if (key instanceof Date) return DATE + encodeNumber(key.getTime())
  return BUFFER + encodeText(String.fromCharCode(...new Uint8Array(key)))
}

export function decodeKey(text: string): Key {
  return new Reader(text).key()
}

/** The text that comes right after a key's: the end of a range that includes the key. */
export const after = (text: string): string => `${text}!`

const bits = new DataView(new ArrayBuffer(8))

/** The bits of a double in the order of numbers; noughts at the end are left out, so that small numbers are short. */
function encodeNumber(value: number): string {
  if (Number.isNaN(value)) throw new Error('NaN cannot be part of a key.')
  bits.setFloat64(0, value === 0 ? 0 : value) // −0 is 0
  let [high, low] = [bits.getUint32(0), bits.getUint32(4)]
  if (high >>> 31) [high, low] = [~high >>> 0, ~low >>> 0]
  else high = (high ^ 0x80000000) >>> 0
  return `${(digits(high >>> 2, 5) + digits((high & 3) * 2 ** 32 + low, 6)).replace(/-+$/, '')}${NUMBER_END}`
}

function decodeNumber(text: string): number {
  const whole = text.padEnd(NUMBER_DIGITS, DIGITS[0])
  const rest = fromDigits(whole.slice(5))
  let high = (fromDigits(whole.slice(0, 5)) * 4 + Math.floor(rest / 2 ** 32)) >>> 0
  let low = (rest % 2 ** 32) >>> 0
  if (high >>> 31) high = (high ^ 0x80000000) >>> 0
  else [high, low] = [~high >>> 0, ~low >>> 0]
  bits.setUint32(0, high)
  bits.setUint32(4, low)
  return bits.getFloat64(0)
}

function digits(value: number, count: number): string {
  let text = ''
  for (let rest = value, i = 0; i < count; i++) {
    text = (DIGITS[rest % 64] ?? '') + text
    rest = Math.floor(rest / 64)
  }
  return text
}

function fromDigits(text: string): number {
  let value = 0
  for (const digit of text) value = value * 64 + (VALUES.get(digit) ?? 0)
  return value
}

/** By code units, as JavaScript and IndexedDB order strings; UTF-8 would order what is beyond U+FFFF elsewhere. */
function encodeText(text: string): string {
  if (PLAIN.test(text)) return text + TEXT_END
  let encoded = ''
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < FIRST_PLAIN) encoded += LOW + digits(unit, 1)
    else if (unit <= LAST_PLAIN) encoded += text[i]
    else encoded += HIGH + digits(unit, 3)
  }
  return encoded + TEXT_END
}

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  key(): Key {
    const tag = this.#text[this.#at++]
    if (tag === NUMBER) return this.#number()
    if (tag === DATE) return new Date(this.#number())
    if (tag === TEXT) return this.#string()
    if (tag === BUFFER) return Uint8Array.from(this.#string(), (unit) => unit.charCodeAt(0)).buffer
    if (tag !== LIST) throw new Error(`No key of ours: ${this.#text}`)
    const items: Key[] = []
    while (this.#text[this.#at] !== LIST_END) items.push(this.key())
    this.#at++
    return items
  }

  #number(): number {
    return decodeNumber(this.#until(NUMBER_END))
  }

  #string(): string {
    const encoded = this.#until(TEXT_END)
    return encoded.replace(/!(.)|~(...)/g, (_, low?: string, high?: string) =>
      String.fromCharCode(fromDigits(low ?? high ?? '')),
    )
  }

  #until(end: string): string {
    const to = this.#text.indexOf(end, this.#at)
    if (to < 0) throw new Error(`No key of ours: ${this.#text}`)
    const part = this.#text.slice(this.#at, to)
    this.#at = to + 1
    return part
  }
}
