import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { colour, onTheme } from './theme.js'

/** In px, axes included, without the legend. */
const HEIGHT = 220
const LEGEND = 34

export interface Line {
  label: string
  /** A colour of tokens.css. */
  token: string
  /** Default: a line. */
  kind?: 'line' | 'area' | 'bars' | 'dots'
}

export interface ChartOptions {
  lines: readonly Line[]
  /** Says what is on the x axis at these places. */
  xText: (values: number[]) => string[]
  yText?: (values: number[]) => string[]
  /** Fills between the first two lines. */
  band?: boolean
  /** x is evenly spread items (bars), not a scale. */
  items?: boolean
  /** A logarithmic y axis. */
  log?: boolean
  /** Places for labels on x; default: uPlot's choice. */
  splits?: (min: number, max: number) => number[]
  height?: number
}

/** A uPlot chart that fits its place and follows the theme. A table beside it holds the same numbers for those who can't see it. */
export class Chart {
  readonly root: HTMLElement
  readonly #options: ChartOptions
  #plot: uPlot | undefined
  #data: uPlot.AlignedData = [[], []]

  constructor(label: string, options: ChartOptions) {
    this.#options = options
    this.root = document.createElement('figure')
    this.root.className = 'chart'
    this.root.setAttribute('role', 'img')
    this.root.setAttribute('aria-label', label)
    this.root.style.minHeight = `${(options.height ?? HEIGHT) + (options.lines.length > 1 ? LEGEND : 0)}px` // nothing jumps when it is drawn
    new ResizeObserver(() => this.#fit()).observe(this.root)
    onTheme(() => this.#build())
  }

  show(data: uPlot.AlignedData): void {
    this.#data = data
    if (this.#plot) this.#plot.setData(data)
    else this.#build()
  }

  #fit(): void {
    if (!this.#plot) this.#build()
    else this.#plot.setSize({ width: this.root.clientWidth, height: this.#options.height ?? HEIGHT })
  }

  #build(): void {
    this.#plot?.destroy()
    this.#plot = undefined
    if (this.root.clientWidth === 0) return // hidden: the observer calls again when it is shown
    const { lines, xText, yText, band, items, log, splits, height = HEIGHT } = this.#options
    const grid = { stroke: colour('line'), width: 1 }
    const axis = { stroke: colour('soft'), grid, ticks: grid, font: '12px system-ui, sans-serif' }
    const series = lines.map(seriesOf)
    const [first] = lines
    this.#plot = new uPlot(
      {
        width: this.root.clientWidth,
        height,
        cursor: { show: false },
        legend: { show: lines.length > 1, live: false },
        scales: {
          x: { time: false, ...(items ? { range: (_, min, max) => [min - 0.6, max + 0.6] } : {}) },
          y: log ? { distr: 3 } : { range: (_, min, max) => uPlot.rangeNum(Math.min(0, min), max, 0.1, true) },
        },
        axes: [
          {
            ...axis,
            size: 32,
            grid: { show: false },
            values: (_, at) => xText(at),
            ...(splits ? { splits: (_, __, min, max) => splits(min, max) } : {}),
          },
          {
            ...axis,
            size: 62,
            ...(yText
              ? { values: (_, at) => at.map((value) => (value === null ? '' : (yText([value])[0] ?? ''))) }
              : {}),
            ...(log ? { filter: powers, grid: { ...grid, filter: powers }, ticks: { ...grid, filter: powers } } : {}),
          },
        ],
        series: [{}, ...series],
        ...(band && first ? { bands: [{ series: [1, 2], fill: fade(colour(first.token)) }] } : {}),
      },
      this.#data,
      this.root,
    )
  }
}

function seriesOf({ label, token, kind = 'line' }: Line): uPlot.Series {
  const stroke = colour(token)
  const points = { show: kind === 'dots', size: 8, fill: stroke }
  const plain = { label, stroke, points, width: kind === 'bars' ? 0 : 2 }
  if (kind === 'dots') return { ...plain, paths: () => null }
  if (kind === 'area') return { ...plain, fill: fade(stroke) }
  const bars = kind === 'bars' ? uPlot.paths.bars?.({ size: [0.6, 64], radius: 0.15 }) : undefined
  return bars ? { ...plain, fill: stroke, paths: bars } : plain
}

/** A logarithmic scale has a line and a label for each power of ten. */
const powers = (_: uPlot, at: number[]) => at.map((value) => (isPowerOfTen(value) ? value : null))
const isPowerOfTen = (value: number) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6)

/** The same colour, mostly transparent. */
const fade = (rgb: string) => rgb.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.18)')
