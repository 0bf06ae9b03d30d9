/** Made by bundle.js. */
declare module 'sitq-runtime-tests/files' {
  export const files: import('./run.js').TestFile[]
  export const skips: import('./run.js').Skip[]
}
