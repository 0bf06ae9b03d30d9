// The Chromium inside @sparticuz/chromium: a headless browser for x64 Linux with the libraries and fonts that a bare machine
// lacks. The package's own code unpacks to a fixed place in /tmp, whatever its version and even after an interrupted run, and
// leaves the libraries out unless it finds itself on AWS Lambda; so this unpacks its archives.
import { execFileSync } from 'node:child_process'
import { createReadStream, createWriteStream, existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync, createBrotliDecompress } from 'node:zlib'

const require = createRequire(import.meta.url)
const cache = fileURLToPath(new URL('../node_modules/.cache/', import.meta.url))

/** @returns {string | undefined} the folder that holds the package's archives; undefined where the package is of no use */
function archives() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined
  try {
    return resolve(require.resolve('@sparticuz/chromium'), '../../../bin') // from build/cjs/ or build/esm/
  } catch {
    return undefined
  }
}

/**
 * Where the browser lies once unpacked, or undefined where it can't be used. The name has the package's version, so that an
 * update unpacks anew.
 * @returns {string | undefined}
 */
export function packagedHome() {
  const folder = archives()
  return folder && join(cache, `chromium-${require(join(folder, '../package.json')).version}`)
}

/** @returns {boolean} */
export function isUnpacked() {
  return existsSync(packagedHome() ?? '')
}

/** Unpacks the browser beside its home and renames the folder when complete: an interrupted run leaves nothing half done. */
export async function unpack() {
  const from = archives()
  const home = packagedHome()
  if (!from || !home) throw new Error('@sparticuz/chromium is not installed, or this is not x64 Linux.')
  const draft = `${home}.${process.pid}`
  await mkdir(draft, { recursive: true })
  for (const name of ['al2023', 'fonts', 'swiftshader']) {
    const tar = brotliDecompressSync(await readFile(join(from, `${name}.tar.br`)))
    execFileSync('tar', ['-x', '--no-same-owner', '-C', draft], { input: tar })
  }
  const fonts = ['/usr/share/fonts', join(home, 'fonts')].map((folder) => `<dir>${folder}</dir>`).join('')
  const fontCache = `<cachedir>${join(home, 'font-cache')}</cachedir>`
  await writeFile(join(draft, 'fonts.conf'), `<fontconfig>${fonts}${fontCache}</fontconfig>\n`)
  await pipeline(
    createReadStream(join(from, 'chromium.br')),
    createBrotliDecompress(),
    createWriteStream(join(draft, 'chromium'), { mode: 0o755 }),
  )
  try {
    await rename(draft, home)
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    if (!existsSync(home)) throw error // else another process was faster
  }
}
