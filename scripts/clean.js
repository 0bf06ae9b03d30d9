// node scripts/clean.js FOLDER… : removes build output, so that no file of an earlier build is published.
import { rmSync } from 'node:fs'

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true })
