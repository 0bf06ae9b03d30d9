import { byId } from './dom.js'

/** A file may be dropped anywhere on the page. */
export function startDrop(take: (file: File) => void): void {
  const overlay = byId('drop', HTMLElement)
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault() // otherwise the browser opens the file
    overlay.hidden = false
  })
  addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) overlay.hidden = true
  })
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return
    event.preventDefault()
    overlay.hidden = true
    const file = event.dataTransfer?.files[0]
    if (file) take(file)
  })
}
