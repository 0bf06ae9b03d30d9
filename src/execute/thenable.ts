/** What `await` would wait for. Throws what a getter of `then` throws, as `await` would. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'
}
