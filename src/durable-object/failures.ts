/** What the errors of an object's storage mean. */
import { StorageError } from '../errors.js'

/** Of a key and its record together, in MB: https://developers.cloudflare.com/durable-objects/platform/limits/ */
const LARGEST = 2

/** A record was refused; nothing of its transaction is stored. */
export function refusal(cause: unknown): StorageError {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (cause instanceof DOMException && cause.name === 'DataCloneError') {
    return new StorageError('uncloneable', 'There is a value that cannot be stored: nothing was.', { cause })
  }
  if (text.includes('SQLITE_TOOBIG')) {
    const message = `A value is larger than the ${LARGEST} MB that a Durable Object stores in one record: nothing was stored. Put it elsewhere, in R2 for example, and give the task its key.`
    return new StorageError('uncloneable', message, { cause })
  }
  return broken(cause)
}

/** The storage failed in the middle of something else. */
export function broken(cause: unknown): StorageError {
  const text = cause instanceof Error ? cause.message : String(cause)
  if (text.includes('SQLITE_FULL')) {
    const message = 'This Durable Object is full: prune finished tasks, or spread the tasks over several objects.'
    return new StorageError('quota', message, { cause })
  }
  return new StorageError('broken', `The object's storage refused: ${text}`, { cause })
}
