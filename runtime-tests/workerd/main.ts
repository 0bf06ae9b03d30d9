// The tests in a Worker: its answer is what they tell.
import { start } from '../harness/start.js'

export default {
  async fetch() {
    const { readable, writable } = new TransformStream()
    const writer = writable.getWriter()
    const encoder = new TextEncoder()
    start((line) => void writer.write(encoder.encode(`${line}\n`))).then(
      () => writer.close(),
      (error) => writer.abort(error),
    )
    return new Response(readable)
  },
}
