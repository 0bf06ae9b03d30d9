/** Names a task whatever becomes of it, and says what it does: handlers are driven by data. */
export interface Item {
  key: string
  /** Computes for so long, in ms. */
  ms?: number
  /** Of a parent: so many follow-ups. */
  children?: number
  /** Of a flaky one: its first attempts fail. Of a spinning one: they never end. */
  bad?: number
  /** Of a child: the batch it joins. */
  batch?: string
}

export interface FlowItem {
  key: string
  index: number
  ms: number
}

/** What a task's outcome says of where it comes from. */
export interface Output {
  key: string
  /** Number of the execution. */
  run: number
}

/** An outcome of the pipeline's: the same whatever happened on the way. */
export const keeps = (index: number): boolean => index % 3 !== 0
export const finished = (index: number): string => `item ${index}`
