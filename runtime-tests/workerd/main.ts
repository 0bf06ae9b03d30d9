// The tests in a Worker. They are told on the console, which is heard at once, unlike the answer.
import { start } from '../harness/start.js'

export default {
  async fetch() {
    await start(console.log)
    return new Response()
  },
}
