import { spawn } from 'node:child_process'

/** A display that nobody sees. */
export interface Display {
  /** For the environment variable DISPLAY. */
  readonly name: string
  close(): void
}

/** Starts an X server in memory under a number that is free. */
export function startDisplay(xvfb: string): Promise<Display> {
  const server = spawn(xvfb, ['-displayfd', '3', '-screen', '0', '1280x1024x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  })
  const close = () => {
    process.off('exit', close)
    server.kill()
  }
  process.once('exit', close)
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('exit', (code) => reject(new Error(`${xvfb} ended with ${code}.`)))
    // It writes the number once it takes connections.
    server.stdio[3]?.once('data', (number) => resolve({ name: `:${String(number).trim()}`, close }))
  })
}
