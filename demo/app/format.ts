const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const precise = new Intl.NumberFormat('en', { maximumSignificantDigits: 6 })

export const count = (value: number) => whole.format(value)
export const figure = (value: number | undefined) => (value === undefined ? '–' : precise.format(value))
export const percent = (share: number) => `${(share * 100).toFixed(share === 0 || share === 1 ? 0 : 1)} %`

export function perSecond(rate: number): string {
  return `${rate >= 10 ? whole.format(rate) : rate.toFixed(1)}/s`
}

export function duration(ms: number): string {
  const seconds = ms / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 100) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 100 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`
}

/** Of whole ms, as the clock gives them. */
export function milliseconds(ms: number): string {
  if (ms < 1) return 'less than 1 ms'
  return ms < 1000 ? `${whole.format(ms)} ms` : duration(ms)
}

export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = size
  let unit = 0
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

export const clock = (time: number) => new Date(time).toLocaleTimeString('en-GB')
