import { expect, test, vi } from 'vitest'
import type { TabOptions } from './support/pages/tab.js'
import { addressOf, items, OpenPage, Scene } from './support/scene.js'

// Frames of one page, as in an app that embeds others of its origin: they share a process and an event loop, and end without
// the browser closing anything. Everything else that happens between pages: tabs.browser.test.ts.

vi.setConfig({ testTimeout: 40_000 })

class Frame extends OpenPage {
  readonly #frame: HTMLIFrameElement

  private constructor(name: string, frame: HTMLIFrameElement) {
    super(name)
    this.#frame = frame
  }

  static async open(options: TabOptions): Promise<Frame> {
    const frame = document.createElement('iframe')
    frame.src = addressOf(options)
    const loaded = hasLoaded(frame)
    document.body.append(frame)
    await loaded
    return new Frame(options.tab, frame)
  }

  protected async evaluate<T>(expression: string): Promise<T> {
    const frameEval: (code: string) => unknown = Reflect.get(this.#frame.contentWindow ?? {}, 'eval')
    const json = await frameEval(`Promise.resolve(${expression}).then((value) => JSON.stringify(value) ?? 'null')`)
    return JSON.parse(String(json))
  }

  async reload(): Promise<void> {
    const loaded = hasLoaded(this.#frame)
    this.#frame.contentWindow?.location.reload()
    await loaded
  }

  /** From one statement to the next: nothing that runs in it is waited for. */
  remove(): void {
    this.#frame.remove()
  }

  protected async end(): Promise<void> {
    this.remove()
  }
}

const hasLoaded = (frame: HTMLIFrameElement) =>
  new Promise<void>((resolve) => frame.addEventListener('load', () => resolve(), { once: true }))

test('a standby takes over from a host whose frame is removed, and charges nothing', async ({ annotate }) => {
  const scene = new Scene(Frame.open)
  const ms = await scene.takeOver({ leave: (host) => host.remove(), crashes: 0 })
  await annotate(`removed host frame, until the standby's first task began: ${Math.round(ms)} ms`, 'measured')
})

test('a frame that is reloaded as host goes on where it was, or another does; nothing is charged', async () => {
  const scene = new Scene(Frame.open)
  const [a, b] = [await scene.tab('a'), await scene.tab('b')]
  const batch = await scene.work(800, 2)
  for (let i = 0; i < 4; i++) {
    await scene.ranMore('work', 50, 800)
    const [host] = (await a.role()) === 'host' ? [a] : [b]
    await host.reload()
  }
  await scene.expectAll(batch, 800)
  expect(scene.claimedWith(1).size).toBe(0)
})

test('frames that come and go leave one host, and no outcome twice', async () => {
  const scene = new Scene(Frame.open)
  const frames = [await scene.tab('0'), await scene.tab('1')]
  const batch = await scene.work(1_000, 1)
  for (let i = 2; i < 6; i++) {
    await scene.ranMore('work', 50, 1_000)
    frames.push(await scene.tab(String(i)))
    frames.shift()?.remove()
  }
  await scene.expectAll(batch, 1_000)
  await expect
    .poll(async () => (await Promise.all(frames.map((frame) => frame.role()))).sort())
    .toEqual(['host', 'standby'])
  expect(scene.claimedWith(1).size).toBe(0)
  expect(await scene.queue.counts()).toMatchObject({ completed: items(1_000).length, running: 0, available: 0 })
})
