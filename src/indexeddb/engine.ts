/** The engine of the browser, for what only its name tells. Where there is none: neither. */

/** Everyone else's says "like Gecko". */
export const isGecko = (): boolean => has(/\bGecko\/\d/)

export const isWebKit = (): boolean => has(/AppleWebKit(?!.*Chrome)/)

const has = (name: RegExp) => typeof navigator !== 'undefined' && name.test(navigator.userAgent)
