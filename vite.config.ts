import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const here = fileURLToPath(new URL('.', import.meta.url))
const pages = readdirSync(`${here}demo`).filter((file) => file.endsWith('.html'))

/** The demo: `npm start` serves it, `npm run build:demo` turns its pages into static files that work under any path. */
export default defineConfig({
  root: `${here}demo`,
  base: './',
  resolve: { tsconfigPaths: true }, // 'sitq' is src/
  server: {
    port: 5173, // or the next free one
    fs: { allow: [here] }, // the library lies beside demo/
  },
  // One file each: what Web Workers would share with the page is not worth another request, and Vite mixes up such files.
  worker: { format: 'es', rolldownOptions: { output: { codeSplitting: false } } },
  build: { target: 'es2022', rolldownOptions: { input: pages.map((page) => `${here}demo/${page}`) } },
})
