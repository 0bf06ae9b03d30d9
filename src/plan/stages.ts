/** Pipelines: where an item goes from a stage. */
import type { Stage } from './records.js'

export type Onward =
  /** Becomes the input of this stage's task. */
  | { to: 'stage'; stage: number }
  /** Is left out by the filter at this stage. */
  | { to: 'dropped'; stage: number }
  | { to: 'end' }

/** Where an item goes that has passed a stage: filters by a field are judged here, the other stages are tasks. */
export function onward(stages: readonly Stage[], passed: number, item: unknown): Onward {
  for (let stage = passed + 1; stage < stages.length; stage++) {
    const of = stages[stage]
    if (!of) break
    if (!('field' in of)) return { to: 'stage', stage }
    if (!isTrue(item, of.field)) return { to: 'dropped', stage }
  }
  return { to: 'end' }
}

function isTrue(item: unknown, field: string): boolean {
  return typeof item === 'object' && item !== null && Object.hasOwn(item, field) && Reflect.get(item, field) === true
}
