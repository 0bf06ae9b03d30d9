// A headless Chromium that can reach nothing but the page it is given.
import { chromium as playwright } from 'playwright'
import { chromiumFlags, prepareChromium } from '../../scripts/chromium.js'

/** Thrown with words for people; anything else that is thrown is a defect. */
export class Refusal extends Error {}

/** @returns {Promise<import('playwright').Browser>} */
export async function launch() {
  try {
    const { executablePath, env } = await prepareChromium()
    return await playwright.launch({
      args: [...chromiumFlags, '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
      env,
      ...(executablePath ? { executablePath } : {}),
    })
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    throw new Refusal(
      `No browser could be started: ${why}\nInstall Chromium or Chrome, or set CHROMIUM_BIN to one, and try again.`,
    )
  }
}
