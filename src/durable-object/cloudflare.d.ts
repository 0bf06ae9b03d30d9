/** For building the library alone: whoever uses this entry point has Cloudflare's own types. */
declare module 'cloudflare:workers' {
  export abstract class DurableObject<Env = unknown> {
    protected ctx: import('./platform.js').ObjectState
    protected env: Env
    constructor(ctx: import('./platform.js').ObjectState, env: Env)
  }
}
