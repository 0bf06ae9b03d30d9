import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { path, type Report } from './pages/reports.js'

const root = fileURLToPath(new URL('./pages', import.meta.url))
const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' }

export interface Site {
  origin: string
  /** Who hears the reports; nobody at first. */
  hear: (report: Report) => number
  close(): Promise<void>
}

/** Builds the pages, keeps them in memory and serves them on a free port of this machine; takes reports there. */
export async function openSite(): Promise<Site> {
  const files = await built()
  const site = { hear: (_: Report) => 0 }
  const server = createServer((request, response) => {
    if (request.url === path) void take(request, response, site)
    else serve(files, request.url ?? '/', response)
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return Object.assign(site, {
    origin: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  })
}

/** Bundled, because tabs are opened by the hundred and a development server gives each a few hundred files. */
async function built(): Promise<Map<string, string | Uint8Array>> {
  const output = await build({
    root,
    configFile: false,
    logLevel: 'warn',
    mode: 'production',
    resolve: { tsconfigPaths: true },
    worker: { format: 'es' },
    build: { write: false, target: 'es2022', minify: false, modulePreload: false },
  })
  const files = new Map<string, string | Uint8Array>()
  for (const each of Array.isArray(output) ? output : [output]) {
    if (!('output' in each)) continue
    for (const file of each.output) files.set(`/${file.fileName}`, file.type === 'chunk' ? file.code : file.source)
  }
  return files
}

function serve(files: Map<string, string | Uint8Array>, url: string, response: ServerResponse): void {
  const { pathname } = new URL(url, 'http://localhost')
  const name = pathname === '/' ? '/index.html' : pathname
  const file = files.get(name)
  const type = types[extname(name)] ?? 'application/octet-stream'
  response.writeHead(file ? 200 : 404, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(file)
}

/** A report that did not arrive whole was not made: its sender has not gone on. */
async function take(request: IncomingMessage, response: ServerResponse, site: Pick<Site, 'hear'>): Promise<void> {
  let text = ''
  try {
    for await (const piece of request.setEncoding('utf8')) text += piece
    const report: Report = JSON.parse(text)
    response.end(String(site.hear(report)))
  } catch {
    response.destroy()
  }
}
