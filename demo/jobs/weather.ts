import Papa from 'papaparse'

/** The numeric columns of seattle-weather.csv. */
export const weatherColumns = ['temp_max', 'temp_min', 'precipitation', 'wind'] as const
export type WeatherColumn = (typeof weatherColumns)[number]

export const weatherUnits: Record<WeatherColumn, string> = {
  temp_max: '°C',
  temp_min: '°C',
  precipitation: 'mm',
  wind: 'km/h',
}

/** All days of one month. */
export interface Month {
  /** For example `2012-01`. */
  month: string
  values: Record<WeatherColumn, number[]>
}

export function months(csv: string): Month[] {
  const { data } = Papa.parse<Record<string, string>>(csv, { header: true, skipEmptyLines: true })
  const byMonth = new Map<string, Month>()
  for (const day of data) {
    const month = (day.date ?? '').slice(0, 7)
    const entry = byMonth.get(month) ?? { month, values: { temp_max: [], temp_min: [], precipitation: [], wind: [] } }
    byMonth.set(month, entry)
    for (const column of weatherColumns) entry.values[column].push(Number(day[column]))
  }
  return [...byMonth.values()]
}
