import { start } from '../harness/start.js'

/** Runs the tests of this bundle; what they tell is the answer. */
export function telling(): Response {
  const { readable, writable } = new TransformStream()
  const writer = writable.getWriter()
  const encoder = new TextEncoder()
  start((line) => void writer.write(encoder.encode(`${line}\n`))).then(
    () => writer.close(),
    (error) => writer.abort(error),
  )
  return new Response(readable)
}
