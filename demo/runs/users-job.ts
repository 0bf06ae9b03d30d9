import type { Fields } from '../import/fields.js'
import { files } from '../import/files.js'
import type { Format } from '../import/inspect.js'

/** A job on users, as it is kept to be found again. */
export type UsersJob = { id: string; delay: number; startedAt: number } & (
  | { source: 'sample' }
  | { source: 'generated'; count: number }
  /** A stored file, and the byte at which its rows begin. */
  | { source: 'file'; file: string; name: string; size: number; start: number }
)

/** Puts a file where the Web Workers find it, and returns the job that imports it. */
export async function takeFile(
  file: File,
  how: { id: string; delay: number; startedAt: number; format: Format; fields: Fields },
): Promise<UsersJob> {
  const { id, delay, startedAt, format, fields } = how
  await files.save({ id, name: file.name, content: file, format, fields })
  return { id, delay, startedAt, source: 'file', file: id, name: file.name, size: file.size, start: format.start }
}

export function titleOf(job: UsersJob): string {
  if (job.source === 'sample') return '20 sample users'
  if (job.source === 'generated') return `${job.count.toLocaleString('en')} generated users`
  return job.name
}

export function isUsersJob(value: unknown): value is UsersJob {
  if (typeof value !== 'object' || value === null) return false
  const field = (key: string): unknown => Reflect.get(value, key)
  const are = (type: string, ...keys: string[]) => keys.every((key) => typeof field(key) === type)
  if (!are('string', 'id') || !are('number', 'delay', 'startedAt')) return false
  if (field('source') === 'generated') return are('number', 'count')
  if (field('source') === 'file') return are('string', 'file', 'name') && are('number', 'size', 'start')
  return field('source') === 'sample'
}
