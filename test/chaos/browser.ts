import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Browser as Playwright } from 'playwright'
import { prepareChromium } from '../../scripts/chromium.js'
import { type Tab, tabIn } from '../support/browsers/tab.js'

/** A name of this machine that is not trusted as `localhost` is. */
export const ELSEWHERE = 'app.test'

/**
 * Hidden tabs are not slowed down: here all are in the foreground for their users, and time is measured. The others keep
 * questions and news away.
 */
const flags = [
  '--headless',
  '--remote-debugging-port=0',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-back-forward-cache',
  '--disable-hang-monitor',
  '--disable-dev-shm-usage',
  '--password-store=basic',
  '--mute-audio',
  `--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`,
  'about:blank', // stays open: a browser without tabs ends
]

/** A Chromium of its own process, with a profile on the disk that outlives it. */
export class Browser {
  readonly #profile = mkdtempSync(join(tmpdir(), 'sitq-chaos-'))
  #process: ChildProcess | undefined
  #connection: Playwright | undefined

  async start(): Promise<void> {
    const { executablePath, args, env } = await prepareChromium()
    const binary = executablePath ?? chromium.executablePath()
    // A group of its own, so that it can be killed with everything it has started.
    const process = spawn(binary, [...args, `--user-data-dir=${this.#profile}`, ...flags], {
      env,
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#process = process
    this.#connection = await chromium.connectOverCDP(await endpointOf(process))
  }

  /** Opens a tab and waits until it has loaded. */
  open(url: string): Promise<Tab> {
    const context = this.#connection?.contexts()[0]
    if (!context) throw new Error('The browser is not running.')
    return tabIn(context, url)
  }

  /** As the system kills, or a person who pulls the plug of a hung browser: no process of it has another moment. */
  async kill(): Promise<void> {
    const process = this.#process
    if (!process?.pid) return
    const ended = new Promise((resolve) => process.once('exit', resolve))
    killGroup(process.pid)
    await ended
    await this.#connection?.close().catch(() => {})
    this.#process = this.#connection = undefined
  }

  async close(): Promise<void> {
    await this.kill()
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

/** Chromium says where it listens. */
function endpointOf(process: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    process.once('exit', (code) => reject(new Error(`Chromium ended with ${code} before it listened: ${said}`)))
    process.stderr?.on('data', (data) => {
      if (said.length < 10_000) said += data
      const found = /DevTools listening on (ws:\S+)/.exec(said)
      if (found?.[1]) resolve(found[1])
    })
  })
}
