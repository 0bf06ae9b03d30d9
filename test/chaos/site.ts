import { createServer, type ServerResponse } from 'node:http'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { WebSocketServer } from 'ws'
import { ELSEWHERE } from './browser.js'
import { path, type Report } from './pages/reports.js'

const root = fileURLToPath(new URL('./pages', import.meta.url))
const types: Record<string, string> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8' }

export interface Site {
  origin: string
  /** The same by a name of another machine, plain http: no secure context, so no Web Locks. */
  insecureOrigin: string
  /** Who hears the reports; nobody at first. */
  hear: (report: Report) => number
  close(): Promise<void>
}

/** Builds the pages, keeps them in memory and serves them on a free port of this machine; takes reports there. */
export async function openSite(): Promise<Site> {
  const files = await built()
  const site = { hear: (_: Report) => 0 }
  const server = createServer((request, response) => serve(files, request.url ?? '/', response))
  const sockets = new WebSocketServer({ server, path })
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const report: Report = JSON.parse(String(data))
      socket.send(site.hear(report))
    })
    socket.on('error', () => socket.terminate()) // torn by a kill
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  return Object.assign(site, {
    origin: `http://127.0.0.1:${address.port}`,
    insecureOrigin: `http://${ELSEWHERE}:${address.port}`,
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets.clients) socket.terminate()
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
