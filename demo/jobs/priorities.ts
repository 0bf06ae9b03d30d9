/**
 * Lower goes first: a file is imported before its rows are validated, so that the total is soon known; a valid user is
 * processed before the next one is validated, so that both bars move. Each kind has a log of its own, and what is read
 * together lies together.
 */
export const priorities = { imports: -2, processing: -1, validation: 0 } as const
