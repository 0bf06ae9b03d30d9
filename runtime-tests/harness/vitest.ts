/** What test files find as 'vitest' outside of it: the words they use, and nothing else. */
export { afterAll, afterEach, beforeAll, beforeEach, describe, it, it as test } from './collect.js'
export { expect } from './expect.js'
export { onTestFinished } from './run.js'
export { vi } from './vi.js'
