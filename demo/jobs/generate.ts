import type { UserRecord } from './item.js'

const first = ['Ada', 'Björn', 'Chidi', 'Devi', 'Emre', 'Fatou', 'Goro', 'Hana', 'Iris', 'João', 'Kofi', 'Lena', 'Miro']
const last = ['Abe', 'Berg', 'Costa', 'Diaz', 'Eze', 'Fox', 'Gupta', 'Haas', 'Ito', 'Jansen', 'Kaya', 'Lopez', 'Moyo']

/**
 * Invented users, the same for the same seed: a job that a reload interrupted must be fed the same input again. About one
 * in ten has a bad email, one in fourteen a bad age, one in fifty lacks a field.
 */
export function* generateUsers(count: number, seed = 1): Generator<UserRecord> {
  const random = mulberry32(seed)
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  for (let i = 0; i < count; i++) {
    const name = `${pick(first)} ${pick(last)}`
    const address = `${name.toLowerCase().replace(/[^a-z]+/g, '.')}.${i}`
    const email = random() < 0.1 ? pick([`${address}(at)example.com`, address, '']) : `${address}@example.com`
    const age = random() < 0.07 ? pick([-1, 151, 200, 33.5, 'forty']) : 18 + Math.floor(random() * 70)
    const gap = random()
    const user: UserRecord = { name }
    if (gap >= 0.01) user.email = email
    if (gap < 0.01 || gap >= 0.02) user.age = age
    yield user
  }
}

/** A generator of pseudorandom numbers in [0, 1) with 32 bits of state. By Tommy Ettinger; public domain. */
function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
