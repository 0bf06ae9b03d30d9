import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** The driver's answer to a command that failed: its code, such as `no such window`, and its message. */
export class WebDriverError extends Error {
  override readonly name = 'WebDriverError'
  readonly code: string

  constructor(code: string, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

/** How long a driver may take to listen, in ms. */
const START = 20_000

/** Sends a command of a session and resolves to its value. Rejects with `WebDriverError`. */
export type Send = <T = unknown>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) => Promise<T>

/** A session of classic WebDriver (w3.org/TR/webdriver2) with a driver process of its own. */
export class WebDriver {
  readonly #driver: ChildProcess
  readonly #base: string
  #session = ''
  /** Commands speak of the current window, so they go one by one. */
  #turn: Promise<unknown> = Promise.resolve()

  private constructor(driver: ChildProcess, base: string) {
    this.#driver = driver
    this.#base = base
  }

  /**
   * Starts the driver and a session.
   *
   * @param command takes `--port=`
   * @throws WebDriverError if the driver refuses; Error if it does not start.
   */
  static async start(command: string, capabilities: object, env: NodeJS.ProcessEnv): Promise<WebDriver> {
    const port = await freePort()
    // A group of its own: killing it takes along the browser that the driver started.
    const driver = spawn(command, [`--port=${port}`], { stdio: 'ignore', detached: true, env })
    const self = new WebDriver(driver, `http://127.0.0.1:${port}`)
    process.once('exit', self.#kill)
    try {
      await self.#listening()
      const { sessionId } = await self.#send<{ sessionId: string }>('POST', '/session', { capabilities })
      self.#session = `/session/${sessionId}`
      return self
    } catch (error) {
      self.#kill()
      throw error
    }
  }

  /** The process group of the driver and its browser. */
  get group(): number | undefined {
    return this.#driver.pid
  }

  /** One command of the session, once those before it are answered. */
  readonly command: Send = (method, path, body) => this.turn((send) => send(method, path, body))

  /** Several commands with no other between them. */
  turn<T>(commands: (send: Send) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(() => commands((method, path, body) => this.#send(method, this.#session + path, body)))
    this.#turn = turn.catch(() => {})
    return turn
  }

  async close(): Promise<void> {
    if (this.#session) await this.#send('DELETE', this.#session).catch(() => {})
    this.#kill()
  }

  readonly #kill = (): void => {
    process.off('exit', this.#kill)
    try {
      if (this.#driver.pid !== undefined) process.kill(-this.#driver.pid)
    } catch {
      // It has ended already.
    }
  }

  async #listening(): Promise<void> {
    const failed = new Promise<never>((_, reject) => {
      this.#driver.once('error', reject)
      this.#driver.once('exit', (code) => reject(new Error(`The driver ended with ${code} before it listened.`)))
    })
    failed.catch(() => {})
    for (const end = Date.now() + START; ; ) {
      try {
        await Promise.race([failed, this.#send('GET', '/status')])
        return
      } catch (error) {
        // Nobody listens yet.
        if (!(error instanceof TypeError) || Date.now() > end) throw error
        await sleep(50)
      }
    }
  }

  async #send<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await fetch(this.#base + path, { method, ...(body ? { body: JSON.stringify(body) } : {}) })
    const { value } = (await answer.json()) as { value: T & { error?: string; message?: string } }
    if (!answer.ok) throw new WebDriverError(value.error ?? String(answer.status), value.message ?? '')
    return value
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (address && typeof address === 'object') resolve(address.port)
        else reject(new Error('No free port.'))
      })
    })
  })
}
