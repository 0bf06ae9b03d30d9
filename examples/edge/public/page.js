// Stores a batch and watches it. The batch's id is in the address: a reload, or another device, goes on watching.
const find = (/** @type {string} */ selector) => /** @type {HTMLElement} */ (document.querySelector(selector))
const form = /** @type {HTMLFormElement} */ (find('form'))
const button = /** @type {HTMLButtonElement} */ (find('button'))
const numbers = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
/** ms between looks */
const EVERY = 400
const ROWS = 12

/**
 * @param {string} path
 * @param {RequestInit} [options]
 */
async function ask(path, options) {
  const response = await fetch(`/api/${path}`, options)
  const body = await response.json()
  if (!response.ok) throw new Error(body.error)
  return body
}

/** @param {string} selector @param {string} text */
const write = (selector, text) => {
  find(selector).textContent = text
}

/** @param {string} text @param {boolean} [failed] */
function say(text, failed = false) {
  write('#state', text)
  find('#state').classList.toggle('failed', failed)
}

/** @param {string} id */
async function watch(id) {
  find('#run').hidden = false
  find('table').hidden = true
  button.disabled = true
  say('Under way.')
  for (;;) {
    try {
      const { total, done, rate, etaMs, open } = await ask(`batches/${id}`)
      show({ total, done, rate, etaMs })
      if (!open && done === total) break
      say('Under way.')
    } catch (error) {
      if (error instanceof TypeError) say('There is no connection: the queue goes on, this page looks again.', true)
      else throw error
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY))
  }
  results(await ask(`batches/${id}/results`))
  button.disabled = false
}

/** @param {{ total: number, done: number, rate: number, etaMs?: number }} progress */
function show({ total, done, rate, etaMs }) {
  const percent = total === 0 ? 0 : Math.round((100 * done) / total)
  const bar = find('.bar')
  bar.setAttribute('aria-valuenow', String(percent))
  /** @type {HTMLElement} */
  find('.bar i').style.width = `${percent}%`
  write('#done', numbers.format(done))
  write('#total', numbers.format(total))
  write('#rate', rate > 0 ? numbers.format(rate) : '–')
  write('#eta', etaMs && done < total ? `${numbers.format(etaMs / 1_000)} s` : '–')
}

/** @param {{ index: number, status: string, value?: { is_valid: boolean, errors: string[], data: { name?: string } } }[]} all */
function results(all) {
  const wrong = all.filter(({ value }) => value && !value.is_valid)
  say(`All judged: ${numbers.format(all.length - wrong.length)} valid, ${numbers.format(wrong.length)} not.`)
  const rows = wrong.slice(0, ROWS).map(({ index, value }) => {
    const row = document.createElement('tr')
    for (const text of [String(index + 1), value?.data?.name ?? '–', value?.errors.join(', ') ?? '']) {
      const cell = document.createElement('td')
      cell.textContent = text
      row.append(cell)
    }
    return row
  })
  write('caption', wrong.length > ROWS ? `The first ${ROWS} of ${numbers.format(wrong.length)}` : 'Not valid')
  find('tbody').replaceChildren(...rows)
  find('table').hidden = rows.length === 0
}

/** @param {unknown} error */
function fail(error) {
  find('#run').hidden = false
  say(error instanceof Error ? error.message : String(error), true)
  button.disabled = false
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  button.disabled = true
  const users = String(new FormData(form).get('users'))
  ask(`batches?${new URLSearchParams({ users })}`, { method: 'POST' })
    .then(({ id }) => {
      location.hash = id
      return watch(id)
    })
    .catch(fail)
})

if (location.hash) watch(location.hash.slice(1)).catch(fail)
