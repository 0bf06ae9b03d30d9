// The tests in Vercel's edge VM, which knows scripts only.
import { start } from '../harness/start.js'

Reflect.set(globalThis, 'startTests', start)
