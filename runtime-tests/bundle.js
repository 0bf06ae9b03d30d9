// Makes one file out of tests and the harness. 'vitest' is the harness there, and 'sitq' and what tests import of src/ is the
// package as it was installed: inside the bundle where a runtime takes only one file, else imported by it.
import { readFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'vite'
import { app } from './pack.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const harness = fileURLToPath(new URL('harness/', import.meta.url))
const FILES = 'sitq-runtime-tests/files'
const GUIDE = 'sitq-runtime-tests/guide'

/**
 * @typedef {{ pattern: RegExp, reason: string }} Skip
 * @typedef {object} Bundle
 * @property {string} entry imports `start` from the harness, or does what it wants
 * @property {readonly string[]} files the tests, relative to the repository
 * @property {readonly Skip[]} skips
 * @property {boolean} whole the package inside it too
 * @property {string[]} [before] modules to be evaluated before each test file
 * @property {'es' | 'iife'} format
 * @property {string} name of the file
 */

/**
 * @param {Bundle} bundle
 * @returns {Promise<string>} its path
 */
export async function bundle({ entry, files, skips, whole, before = [], format, name }) {
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    plugins: [testFiles(files, skips, before), guide(), published(whole)],
    // Nothing is taken for a browser or for Node: what a package offers to everyone.
    resolve: { conditions: ['module', 'import', 'default'], mainFields: ['module', 'main'] },
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      target: 'es2022',
      outDir: app,
      emptyOutDir: false,
      minify: false,
      lib: { entry, formats: [format], name: 'tests', fileName: () => name },
      rolldownOptions: { output: { codeSplitting: false }, treeshake: { moduleSideEffects: true } },
    },
  })
  return `${app}${name}`
}

/**
 * @param {readonly string[]} files
 * @param {readonly Skip[]} skips
 * @param {readonly string[]} before
 */
function testFiles(files, skips, before) {
  const load = (/** @type {string} */ file) => `() => import(${JSON.stringify(root + file)})`
  return {
    name: 'test-files',
    enforce: /** @type {const} */ ('pre'),
    resolveId: (/** @type {string} */ id) =>
      id === 'vitest' ? `${harness}vitest.ts` : id === FILES ? `\0${FILES}` : undefined,
    load: (/** @type {string} */ id) =>
      id !== `\0${FILES}`
        ? undefined
        : [
            ...before.map((module) => `import ${JSON.stringify(module)}`),
            'export const files = [',
            ...files.map((file) => `{ file: ${JSON.stringify(file)}, load: ${load(file)} },`),
            ']',
            'export const skips = [',
            ...skips.map(({ pattern, reason }) => `{ pattern: ${pattern}, reason: ${JSON.stringify(reason)} },`),
            ']',
          ].join('\n'),
  }
}

/** The example of docs/edge.md, which is run too. */
function guide() {
  return {
    name: 'guide',
    enforce: /** @type {const} */ ('pre'),
    resolveId: (/** @type {string} */ id) => (id === GUIDE ? `\0${GUIDE}.ts` : undefined),
    load(/** @type {string} */ id) {
      if (id !== `\0${GUIDE}.ts`) return undefined
      const [, code] = readFileSync(`${root}docs/edge.md`, 'utf8').match(/^```ts\n([\s\S]*?)^```$/m) ?? []
      if (!code) throw new Error('docs/edge.md has no example.')
      return code
    },
  }
}

/**
 * @param {boolean} whole
 * @returns {import('vite').Plugin}
 */
function published(whole) {
  /** @param {string} file below dist/ */
  const dist = (file) =>
    whole ? `${app}node_modules/sitq/dist/${file}` : { id: `./node_modules/sitq/dist/${file}`, external: true }
  return {
    name: 'published',
    enforce: 'pre',
    resolveId(id, importer) {
      if (id.startsWith('cloudflare:')) return { id, external: true }
      if (id === 'sitq' || id.startsWith('sitq/'))
        return whole ? this.resolve(id, `${app}main.js`, { skipSelf: true }) : { id, external: true }
      if (!importer || importer.startsWith(app)) return undefined
      const [, file] = (id.startsWith('.') ? new URL(id, pathToFileURL(importer)).pathname : id).split(`${root}src/`)
      return file ? dist(file.replace(/\.ts$/, '.js')) : undefined
    },
  }
}
