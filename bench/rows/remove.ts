/** Every database that a row makes. */
const names = [
  'bench-sitq',
  'bench-full',
  'bench-empty',
  'bench-rows',
  'bench-blocks',
  'bench-records',
  'bench-idb-queue',
  'workbox-background-sync',
  'serwist-background-sync',
  'offline-transactions',
]

/** What a library still holds open goes when the page does. */
export function removeDatabases(): void {
  for (const name of names) indexedDB.deleteDatabase(name)
}
