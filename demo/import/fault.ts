/** A file that can't be read on: where and why, in words for people. */
export class FileFault extends Error {
  override readonly name = 'FileFault'
  readonly code = 'malformed'
  /** Trying again cannot help: the task fails at once. */
  readonly retryable = false
}

/** Where the text stops making sense, in bytes or characters from the start of what was looked at. */
export interface Fault {
  at: number
  message: string
}

/** A stretch of a file cut into its rows. */
export interface Cut {
  /** The text of each whole row; blank ones are left out. */
  rows: string[]
  /** Where each begins, in bytes. */
  starts: number[]
  /** Bytes used: the next stretch begins there. */
  end: number
  /** No rows follow, as far as the text itself says. */
  complete: boolean
  /** What makes the row after the last whole one unreadable. */
  fault?: Fault & { column?: number }
}
