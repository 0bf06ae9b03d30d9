import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Ids of the processes whose command line and process group are like this. None where there is no /proc: not on Linux. */
export function processes(like: (args: readonly string[], group: number) => boolean): Set<number> {
  const ids = existsSync('/proc/self/stat') ? readdirSync('/proc').filter((name) => /^\d+$/.test(name)) : []
  return new Set(ids.map(Number).filter((id) => isLike(id, like)))
}

function isLike(id: number, like: (args: readonly string[], group: number) => boolean): boolean {
  try {
    const args = readFileSync(`/proc/${id}/cmdline`, 'utf8').split(/[\0 ]/)
    // After the name, which may hold anything: state, parent, group.
    const [, , group] = readFileSync(`/proc/${id}/stat`, 'utf8').replace(/.*\) /s, '').split(' ')
    return like(args, Number(group))
  } catch {
    return false // it has ended meanwhile
  }
}
