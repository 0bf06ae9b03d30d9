/** What happened, in words and with times, for whoever has to find out why a seed failed. */
export class Diary {
  readonly lines: string[] = []
  readonly #from = Date.now()

  write(line: string): void {
    const now = Date.now()
    this.lines.push(`${((now - this.#from) / 1000).toFixed(3).padStart(8)} s  ${now}  ${line}`)
  }
}
