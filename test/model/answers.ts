import type { Exchange, Exchanged } from '../../src/backend.js'
import { same } from './check.js'
import type { Answer, Model } from './model.js'
import { heldIn } from './stored.js'

/**
 * Compares what an exchange was answered with what the model says. To a repeat less is answered: which settlements were dropped
 * is not known any more, and a host that has left is not known.
 */
export function compareAnswers(
  model: Model,
  x: Exchange,
  predicted: Answer,
  answer: Exchanged,
  repeated: boolean,
): void {
  const who = `${x.host}'s exchange ${x.seq}`
  if (x.leave && repeated) return
  same(answer.fenced, predicted.fenced, `${who}: fenced`)
  if (answer.fenced) return
  const ids = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id)
  const order = (list: string[]) => (repeated ? list.sort() : list)
  same(order(ids(answer.claimed)), order(ids(predicted.claimed)), `${who}: claimed`)
  for (const [k, task] of answer.claimed.entries()) {
    const of = repeated ? predicted.claimed.find(({ id }) => id === task.id) : predicted.claimed[k]
    if (!of) continue
    const { name, input, attempt, crashes, enqueuedAt, priority, queue, lane, position } = task
    const wanted = [
      of.name,
      of.input,
      of.attempt,
      of.crashes,
      of.enqueuedAt,
      of.priority,
      of.queue,
      of.lane,
      of.position,
    ]
    same(
      [name, input, attempt, crashes, enqueuedAt, priority, queue, lane, position],
      wanted,
      `${who}: claimed ${task.id}`,
    )
    same([task.seq], [x.seq], `${who}: seq of ${task.id}`)
  }
  if (!x.leave) {
    const holds = [...heldIn(answer.held)].sort()
    const wanted = model.heldBy(x.host).map(({ lane, position, place, attempt, crashes }) => {
      return [`${lane}:${position}`, [place.at === 'held' ? place.seq : 0, attempt, crashes].join()] as const
    })
    same(holds, [...wanted].sort(), `${who}: held`)
  }
  for (const id of predicted.batches) {
    if (!answer.batches.includes(id)) same(answer.batches, predicted.batches, `${who}: batches that moved`)
  }
  if (repeated) return
  same(answer.dropped, predicted.dropped, `${who}: dropped`)
  same([...answer.parked].sort(), [...predicted.parked].sort(), `${who}: parked`)
  // Who leaves asks no more, and what it has just claimed alone it gives back with the same exchange.
  if (!x.claim || x.leave) return
  if (predicted.more && !answer.more) same(answer.more, true, `${who}: more`)
  const idle = answer.claimed.length === 0 && answer.parked.length === 0 && model.unseen.length === 0
  if (idle && x.claim.limit > 0 && !predicted.more) same(answer.more, false, `${who}: more of what can't be claimed`)
  const waits = answer.more || model.heldBy(x.host).length > 0
  const wakeAt = answer.wakeAt ?? Number.POSITIVE_INFINITY
  if (!waits && wakeAt > predicted.wakeAt) same(wakeAt, predicted.wakeAt, `${who}: wakeAt`)
  if (!answer.more) same(wakeAt > x.now, true, `${who}: wakes later`)
}
