/**
 * Keeps its thread busy for so many ms. A spin and not a timer, because this is what Web Workers are for: nothing else runs
 * in that thread meanwhile, no signal is seen, and only termination ends it early. The page stays smooth all the same.
 */
export function work(ms = 0): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}
