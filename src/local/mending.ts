/**
 * Loads what mends a damaged database: a sixth of all the code, for what hardly ever happens, so pages get it apart. Throws
 * StorageError `'unavailable'`. A page that could not load it must be loaded anew: browsers remember that it failed.
 */
import { StorageError } from '../errors.js'

export async function loadRepair() {
  try {
    return await import('../plan/repair/index.js')
  } catch (cause) {
    const message =
      'The code that mends a damaged database could not be loaded: reload the page once there is a network. Nothing is lost meanwhile.'
    throw new StorageError('unavailable', message, { cause })
  }
}
