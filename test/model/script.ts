import type { Fault } from './faults.js'
import { faults } from './faults.js'
import type { Action } from './steps.js'

/** A history in plain words. */
export function describeStep(action: Action, fault?: { nth: number; fault: Fault }): string {
  const armed = fault ? ` (at its transaction ${fault.nth + 1}: ${faults[fault.fault]})` : ''
  return `${sentence(action)}${armed}`
}

const clientName = (i: number) => `client ${'ABC'.charAt(i)}`
const hostName = (i: number) => `host ${i + 1}`

function sentence(action: Action): string {
  switch (action.do) {
    case 'add': {
      const groups = action.groups.map(({ count, queue, name, priority, delay }) => {
        const when = delay ? `, due in ${delay} ms` : ''
        return `${tasks(count)} '${name}' to ${queue}${priority ? `, priority ${priority}` : ''}${when}`
      })
      return `${clientName(action.client)} adds ${groups.join('; ')}`
    }
    case 'add to batch': {
      const { client, batch, count, queue, priority, delay, again, open } = action
      const more = [
        priority && `priority ${priority}`,
        delay && `due in ${delay} ms`,
        again && `${again} of them again`,
      ]
      const how = more.filter(Boolean).map((text) => `, ${text}`)
      return `${clientName(client)} adds ${tasks(count)} to batch ${batch} (${open ? 'open' : 'the last'}) in ${queue}${how.join('')}`
    }
    case 'exchange': {
      const { host, settle, limit, claims, names, queues, leave, twice } = action
      const parts = [
        `settles what it holds as ${settle.join(', ')} in turn`,
        claims &&
          `claims up to ${limit}${names ? ` named ${names.join(', ')}` : ''}${queues ? `, ${queues.join(', ')} first` : ''}`,
        leave && 'leaves',
        twice && 'sends all that twice',
      ]
      return `${hostName(host)} ${parts.filter(Boolean).join('; ')}`
    }
    case 'repeat':
      return `${hostName(action.host)} sends its last exchange again`
    case 'renew':
      return `${hostName(action.host)} renews its lease for ${action.ms} ms`
    case 'recover': {
      const { host, dead, left, maxCrashes } = action
      const who = dead === 'others' ? 'all other hosts' : 'hosts whose lease has run out'
      return `${hostName(host)} recovers what ${who} hold${left ? ', those that died having left' : ''}, at most ${maxCrashes} crashes`
    }
    case 'cancel':
    case 'retry':
      return `${clientName(action.client)} ${action.do === 'cancel' ? 'cancels' : 'retries'} tasks ${action.picks.join(', ')} (modulo all)`
    case 'cancel batch':
      return `${clientName(action.client)} cancels batch ${action.batch}`
    case 'end batch':
      return `${clientName(action.client)} ends the input of batch ${action.batch}`
    case 'clear':
      return `${clientName(action.client)} clears ${action.queue ?? 'all queues'}`
    case 'pause':
      return `${clientName(action.client)} pauses ${action.queue ?? 'all queues'} for ${action.ms} ms`
    case 'resume':
      return `${clientName(action.client)} resumes ${action.queue ?? 'all queues'}`
    case 'open gate':
      return `${clientName(action.client)} opens the gate of ${action.gate}`
    case 'prune':
      return `${clientName(action.client)} prunes what is older than ${action.age} ms or more than ${action.count}`
    case 'repair':
      return `${clientName(action.client)} repairs, where nothing is broken`
    case 'time':
      return action.ms > 0 ? `${action.ms} ms pass` : `the clock is set back by ${-action.ms} ms`
    case 'restart':
      return `${clientName(action.client)} is closed and opened anew`
  }
}

const tasks = (count: number) => (count === 1 ? '1 task' : `${count} tasks`)

/** As it is printed when a history fails. */
export const numbered = (lines: readonly string[]): string => lines.map((line, i) => `${i + 1}. ${line}`).join('\n')
