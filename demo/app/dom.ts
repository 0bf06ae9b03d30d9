/** The few things of the DOM this page needs. Text only ever becomes text: nothing here parses HTML. */
export type Child = Node | string | number | false | undefined

export interface Props {
  class?: string
  /** Becomes `data-…` attributes. */
  data?: Record<string, string>
  /** Other attributes. */
  attrs?: Record<string, string>
  onClick?: () => void
}

export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  if (props.class !== undefined) element.className = props.class
  Object.assign(element.dataset, props.data)
  for (const [name, value] of Object.entries(props.attrs ?? {})) element.setAttribute(name, value)
  const { onClick } = props
  if (onClick) element.addEventListener('click', () => onClick())
  fill(element, ...children)
  return element
}

/** Replaces what is in an element. */
export function fill(element: Element, ...children: Child[]): void {
  const present = children.filter((child) => child !== false && child !== undefined)
  element.replaceChildren(...present.map((child) => (typeof child === 'number' ? String(child) : child)))
}

/** Changes text only if it differs: screen readers and selections are left alone. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** An element of index.html. */
export function byId<E extends Element>(id: string, type: new () => E): E {
  const element = document.getElementById(id)
  if (!(element instanceof type)) throw new Error(`index.html lacks a ${type.name} with the id ${id}`)
  return element
}

export function button(text: string, onClick: () => void, kind = ''): HTMLButtonElement {
  return el('button', { class: kind, attrs: { type: 'button' }, onClick }, text)
}

/** The value of the chosen radio button. */
export function chosen(root: ParentNode, name: string): string {
  const input = root.querySelector(`input[name="${name}"]:checked`)
  return input instanceof HTMLInputElement ? input.value : ''
}

/** The work per item that is asked for, in ms. */
export const chosenDelay = () => Number(chosen(document, 'delay'))

/** Says something to screen readers. Progress is said in quarters, not in every step. */
export function announce(text: string): void {
  setText(byId('live', HTMLElement), text)
}

/** Shows or hides a message that someone must read. */
export function showProblem(id: string, problem: unknown): void {
  const element = byId(id, HTMLElement)
  element.hidden = problem === undefined
  setText(element, problem === undefined ? '' : problem instanceof Error ? problem.message : String(problem))
}

/** Calls `look` every so many ms until the signal aborts; a slow look delays the next one instead of piling up. */
export async function watch(ms: number, signal: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await look()
    await new Promise<void>((resolve) => {
      if (signal.aborted) return resolve()
      const timer = setTimeout(resolve, ms)
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          resolve()
        },
        { once: true },
      )
    })
  }
}
