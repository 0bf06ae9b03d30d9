import { defineHandlers } from 'sitq'

/** ms */
const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((resolve, reject) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      reject(signal.reason)
    })
  })

/** Driven by what they are given. `ran` is told of every attempt that begins, `die` takes the object down. */
export const handlersOf = ({
  ran = () => {},
  die = () => {},
}: {
  ran?: (note: string) => void
  die?: () => void
} = {}) =>
  defineHandlers({
    echo: (input: unknown) => {
      ran(String(input))
      return input
    },
    wait: async ({ ms, note = '' }: { ms: number; note?: string }, ctx) => {
      ran(note)
      await pause(ms, ctx.signal)
      return note
    },
    fail: {
      run: ({ times }: { times: number }, ctx) => {
        ran(`attempt ${ctx.attempt}`)
        if (ctx.attempt <= times) throw new Error(`attempt ${ctx.attempt} fails`)
        return ctx.attempt
      },
      retry: { attempts: 3, delay: 50, factor: 1, jitter: 0 },
    },
    /** Dies in its first so many attempts. */
    die: async ({ times }: { times: number }, ctx) => {
      ran('die')
      const before = times
      if (before > 0) die()
      await pause(60_000, ctx.signal)
    },
    big: (bytes: number) => new Uint8Array(bytes),
    more: (names: string[], ctx) => {
      for (const name of names) ctx.enqueue('echo', name)
    },
  })
export type Handlers = ReturnType<typeof handlersOf>
