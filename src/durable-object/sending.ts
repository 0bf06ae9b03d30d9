/** What the runtime says of a call that it cannot send: nothing of it has arrived. */
import { StorageError } from '../errors.js'
import { peek } from '../peek.js'

/**
 * Calls `send` with the arguments. A call takes plain data and nothing else, where storages take instances of classes as plain
 * data too: those are made plain, once a call was refused for them.
 */
export async function sending<Arguments, Answer>(
  given: Arguments,
  send: (given: Arguments) => Promise<Answer>,
): Promise<Answer> {
  try {
    return await send(given)
  } catch (error) {
    if (isTooLarge(error)) {
      const message = 'What is to be stored is larger than the 32 MiB that a call takes: nothing was stored.'
      throw new StorageError('uncloneable', message, { cause: error })
    }
    if (!isUncloneable(error)) throw error
  }
  return await send(plain(given))
}

function plain<Value>(value: Value): Value {
  try {
    return structuredClone(value)
  } catch (cause) {
    throw new StorageError('uncloneable', 'There is a value that cannot be stored: nothing was.', { cause })
  }
}

const isUncloneable = (error: unknown) => peek(error, 'name') === 'DataCloneError' && peek(error, 'remote') !== true
const isTooLarge = (error: unknown) => {
  const message = peek(error, 'message')
  return typeof message === 'string' && message.includes('limited to 32MiB') && peek(error, 'remote') !== true
}
