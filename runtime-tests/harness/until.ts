/** Tries until it does not throw, every 50 ms for 5 s. */
export async function until<T>(
  attempt: () => T | Promise<T>,
  { timeout = 5_000, interval = 50 }: { timeout?: number; interval?: number } = {},
): Promise<T> {
  const end = Date.now() + timeout
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (Date.now() >= end) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, interval))
  }
}
