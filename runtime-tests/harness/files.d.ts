/** Made by bundle.js. */
declare module 'sitq-runtime-tests/files' {
  export const files: import('./run.js').TestFile[]
  export const skips: import('./run.js').Skip[]
}

/** The example of docs/edge.md. */
declare module 'sitq-runtime-tests/guide' {
  export function squares(numbers: number[]): Promise<import('../../src/batch.js').BatchResult<number>[]>
}
