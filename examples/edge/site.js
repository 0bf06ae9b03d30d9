// The example on this machine: workerd by miniflare, as Cloudflare runs it, with what it stores in a folder.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = fileURLToPath(new URL('../..', import.meta.url))
const types = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' }

/** @returns {Promise<string>} the Worker as one file, as wrangler would make it */
async function workerCode() {
  const built = await build({
    root,
    configFile: false,
    logLevel: 'error',
    // 'sitq' is src/; nothing is taken for a browser or for Node.
    resolve: { tsconfigPaths: true, conditions: ['module', 'import', 'default'], mainFields: ['module', 'main'] },
    build: {
      target: 'es2022',
      write: false,
      minify: false,
      lib: { entry: `${here}worker.ts`, formats: ['es'], fileName: 'worker' },
      rolldownOptions: { external: ['cloudflare:workers'], output: { codeSplitting: false } },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (!output || !('output' in output)) throw new Error('The Worker was not built.')
  return output.output[0].code
}

/**
 * @param {{ port: number, folder: string }} options where it listens, and where objects are kept
 * @returns {Promise<{ url: string, close(): Promise<void> }>}
 */
export async function serve({ port, folder }) {
  const { Miniflare } = createRequire(`${root}runtime-tests/`)('miniflare')
  // As much of wrangler.jsonc as there is to it: its comments are whole lines.
  const text = readFileSync(`${here}wrangler.jsonc`, 'utf8').replace(/^\s*\/\/.*$/gm, '')
  const { compatibility_date, durable_objects } = JSON.parse(text)
  const bindings = /** @type {{ name: string, class_name: string }[]} */ (durable_objects.bindings)
  const worker = new Miniflare({
    modules: true,
    script: await workerCode(),
    compatibilityDate: compatibility_date,
    durableObjects: Object.fromEntries(
      bindings.map(({ name, class_name }) => [name, { className: class_name, useSQLite: true }]),
    ),
    durableObjectsPersist: folder,
    bindings: { ALLOW_RESTART: 'yes' },
  })
  const server = createServer(async (request, response) => {
    const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
    try {
      if (pathname.startsWith('/api/')) {
        const answer = await worker.dispatchFetch(`http://localhost${pathname}${search}`, { method: request.method })
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
        return
      }
      const file = pathname === '/' ? 'index.html' : pathname.slice(1)
      const type = Object.entries(types).find(([end]) => end === extname(file))?.[1]
      if (!/^[a-z]+\.[a-z]+$/.test(file) || !type) throw new Error('There is no such file.')
      response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(await readFile(`${here}public/${file}`))
    } catch (error) {
      response.writeHead(pathname.startsWith('/api/') ? 500 : 404, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: String(error) }))
    }
  })
  await worker.ready
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)))
  const address = server.address()
  const { port: taken } = address && typeof address === 'object' ? address : { port }
  return {
    url: `http://localhost:${taken}/`,
    async close() {
      server.closeAllConnections()
      server.close()
      await worker.dispose()
    },
  }
}
