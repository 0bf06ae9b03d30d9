import { prepareChromium } from '../../../scripts/chromium.js'

/** Runs once before the browser tests, and not at all when only others run: unpacking takes a moment the first time. */
export async function setup(): Promise<void> {
  await prepareChromium()
}
