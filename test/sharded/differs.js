// What the suite of all backends asks for and several shards do not give, and why not.
const ORDER = 'Which shard is claimed from first is not said: with what lies on several, other tasks come first.'
const LANES = 'Lanes of several shards are numbered together; the suite reads by those in the ids.'
const LISTS = 'A list of several shards is in order shard by shard.'

/** @type {Record<string, string>} by the tests' names */
export const differs = {
  'are cancelled wherever their tasks are, and others are not': ORDER,
  'cancels all that waits or runs, in one queue or all, and counts it in its batches': ORDER,
  'keeps a batch until it has ended and the age has passed, then forgets it with its tasks': ORDER,
  'are listed, the newest first, in pages': LISTS,
  'lists each gate once for each queue, whatever waits behind it, 1 on a page': LISTS,
  'lists each gate once for each queue, whatever waits behind it, 3 on a page': LISTS,
  'lists each gate once for each queue, whatever waits behind it, 100 on a page': LISTS,
  'give outputs of any size': LANES,
  'gives the results in an interval in order, in pages of any size, whatever it cuts': LANES,
  'do not join a batch that was cancelled, whether or not its input had ended':
    "A follow-up is stored on its task's shard, and finds the batches that are there.",
}
