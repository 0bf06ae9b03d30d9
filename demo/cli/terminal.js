// Progress for people: one line that moves on a terminal, plain lines in a log.

const BAR = 24
const LINE_EVERY = 2_000

/**
 * @typedef {object} Step what the page reports
 * @property {string} stage
 * @property {number} done
 * @property {number} total
 * @property {boolean} [bytes] they are bytes, not tasks
 * @property {boolean} [open] the total may grow
 * @property {number} [rate] per second
 * @property {number} [etaMs]
 */

/** @param {number} value */
export const count = (value) => value.toLocaleString('en')

/** @param {number} value */
const megabytes = (value) => `${(value / 1e6).toFixed(1)} MB`

/** @param {NodeJS.WriteStream} out */
export function progressOn(out) {
  let stage = ''
  let saidAt = 0
  let pending = ''

  /** @param {Step} step */
  const text = (step) => {
    const share = step.total === 0 ? 1 : step.done / step.total
    const full = Math.round(share * BAR)
    const say = step.bytes ? megabytes : count
    const parts = [
      step.stage.padEnd(12),
      `${'█'.repeat(full)}${'░'.repeat(BAR - full)}`,
      `${say(step.done)} of ${say(step.total)}${step.open ? '+' : ''}`,
    ]
    if (step.rate) parts.push(`${count(Math.round(step.rate))}/s`)
    if (step.etaMs && step.done < step.total) parts.push(`${(step.etaMs / 1000).toFixed(1)} s left`)
    return parts.join('  ')
  }

  const flush = () => {
    if (pending !== '') out.write(out.isTTY ? `\r\x1b[K${pending}\n` : `${pending}\n`)
    pending = ''
  }

  return {
    /** @param {Step} step */
    step(step) {
      if (step.stage !== stage) flush()
      const first = step.stage !== stage
      stage = step.stage
      pending = text(step)
      if (out.isTTY) {
        // Cut to the terminal's width: a wrapped line can't be taken back.
        out.write(`\r\x1b[K${pending.slice(0, (out.columns ?? 80) - 1)}`)
      } else if (first || Date.now() - saidAt > LINE_EVERY) {
        saidAt = Date.now()
        if (!first) flush()
      }
    },
    /** The last line stays. */
    end() {
      flush()
      stage = ''
    },
  }
}
