// The tests in a Durable Object: its answer is what they tell.
import { DurableObject } from 'cloudflare:workers'
import { here, type Namespace } from './here.js'
import { telling } from './telling.js'

export class Tests extends DurableObject {
  fetch(): Response {
    here.ctx = this.ctx
    return telling()
  }
}

export default {
  fetch: (request: Request, env: { TESTS: Namespace<object> }) => env.TESTS.getByName('tests').fetch(request),
}
