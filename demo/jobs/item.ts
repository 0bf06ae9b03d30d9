/** What every handler of the demo takes: one item of a job's input. */
export interface Item<Data = unknown> {
  /** The item's index in the job's input, from 0. */
  item_id: number
  data: Data
  /** Work added to this item, in ms: there must be something to watch, kill and reload. Default: none. */
  delay?: number
}

/** A row of a user file. Anything may be in it; these are the fields that are looked at. */
export interface UserRecord {
  name?: unknown
  email?: unknown
  age?: unknown
  [field: string]: unknown
}
