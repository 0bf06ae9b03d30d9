import { button, el, fill, setText } from './dom.js'
import { count } from './format.js'

export interface Column<Row> {
  title: string
  /** A quantity: on the right. Or a place, such as a row: narrow, on the left. */
  kind?: 'number' | 'place'
  cell: (row: Row) => string
}

const PAGE = 50

/** A table that shows one page of its rows: any number of rows costs the same. Rows may be added while it is looked at. */
export class PagedTable<Row> {
  readonly root: HTMLElement
  readonly rows: Row[] = []
  readonly #columns: readonly Column<Row>[]
  readonly #compare: ((a: Row, b: Row) => number) | undefined
  readonly #body = el('tbody')
  readonly #where = el('span')
  readonly #previous = button('Previous', () => this.#turn(-1), 'tiny')
  readonly #next = button('Next', () => this.#turn(1), 'tiny')
  readonly #pager: HTMLElement
  #page = 0
  #due = false

  constructor(caption: string, columns: readonly Column<Row>[], compare?: (a: Row, b: Row) => number) {
    this.#columns = columns
    this.#compare = compare
    this.#pager = el('div', { class: 'pager' }, this.#previous, this.#where, this.#next)
    const head = columns.map(({ title, kind = '' }) => el('th', { class: kind, attrs: { scope: 'col' } }, title))
    this.root = el(
      'div',
      { attrs: { role: 'group', 'aria-label': caption } },
      el(
        'div',
        { class: 'scroll', attrs: { tabindex: '0', role: 'region', 'aria-label': caption } },
        el(
          'table',
          {},
          el('caption', { class: 'visually-hidden' }, caption),
          el('thead', {}, el('tr', {}, ...head)),
          this.#body,
        ),
      ),
      this.#pager,
    )
    this.#paint()
  }

  /** Adds rows; the page is painted at most once a frame. */
  add(...rows: Row[]): void {
    this.rows.push(...rows)
    this.#paintSoon()
  }

  clear(): void {
    this.rows.length = 0
    this.#page = 0
    this.#paintSoon()
  }

  #paintSoon(): void {
    if (this.#due) return
    this.#due = true
    requestAnimationFrame(() => {
      this.#due = false
      if (this.#compare) this.rows.sort(this.#compare) // nearly sorted already: cheap
      this.#paint()
    })
  }

  #turn(by: number): void {
    this.#page += by
    this.#paint()
  }

  #paint(): void {
    const pages = Math.max(1, Math.ceil(this.rows.length / PAGE))
    this.#page = Math.min(this.#page, pages - 1)
    const from = this.#page * PAGE
    const shown = this.rows.slice(from, from + PAGE)
    fill(
      this.#body,
      ...shown.map((row) =>
        el('tr', {}, ...this.#columns.map(({ kind = '', cell }) => el('td', { class: kind }, cell(row)))),
      ),
    )
    this.#pager.hidden = pages === 1
    this.#previous.disabled = this.#page === 0
    this.#next.disabled = this.#page === pages - 1
    setText(this.#where, `${count(from + 1)}–${count(from + shown.length)} of ${count(this.rows.length)}`)
  }
}
