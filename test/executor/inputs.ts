import { describe, expect, it } from 'vitest'
import type { Executor } from '../../src/executor.js'
import { type Recorder, runOf } from '../support/recorder.js'

/** What every executor does with stored inputs that may not fit; `open` gives one that serves test/support/workers/checked.ts. */
export function inputTests(open: () => Promise<{ executor: Executor; host: Recorder }>): void {
  describe('inputs that handlers check', () => {
    const letter = { to: 'Ada', copies: 2 }

    it.each<[handler: string, stored: unknown, got: unknown]>([
      ['bySchema', { to: 'Ada', copies: '2', extra: true }, letter],
      ['byCallable', letter, letter],
      ['bySlowSchema', letter, letter],
      ['byFunction', 'Ada', { to: 'Ada', copies: 1 }],
      ['byAsyncFunction', 'Ada', { to: 'Ada', copies: 1 }],
    ])('%s: the handler gets what the check returns', async (name, stored, got) => {
      const { executor, host } = await open()
      await host.done(executor, [runOf(1, name, stored)])
      expect(await host.value(1)).toEqual(got)
    })

    it.each<[handler: string, stored: unknown, why: string]>([
      ['bySchema', { to: 5, copies: 2 }, 'input.to: expected string'],
      ['bySchema', null, 'input.to: expected string; input.copies: expected integer'],
      ['byCallable', { to: 'Ada', copies: 'x' }, 'input.copies: expected integer'],
      ['bySlowSchema', { to: 'Ada' }, 'input.copies: expected integer'],
      ['byFunction', { to: 'Ada' }, 'input: expected text, not object'],
      ['byAsyncFunction', 5, 'input: expected text'],
      ['byParse', 5, 'input.list[3]["first name"]: too long; input: no; input: no path; and 2 more'],
      ['hostile', 'throws nothing', 'input: does not fit, and nothing says why'],
      ['hostile', 'throws a trap', 'input: does not fit, and nothing says why'],
      ['hostile', 'throws much', `input: ${'x'.repeat(492)}…`],
      [
        'hostile',
        'throws odd issues',
        'input: does not fit, and nothing says why; input: does not fit, and nothing says why; ' +
          'input[Symbol(s)]: does not fit, and nothing says why',
      ],
      ['answersNothing', letter, 'input: does not fit, and nothing says why'],
    ])('%s of %j: the handler is not called, and the reason says where and why', async (name, stored, why) => {
      const { executor, host } = await open()
      await host.done(executor, [runOf(1, 'calls')])
      await host.done(executor, [runOf(2, name, stored)])
      await host.done(executor, [runOf(3, 'calls')])
      expect(host.outcomes.get(2)).toEqual({
        key: 2,
        startedAt: expect.any(Number),
        finishedAt: expect.any(Number),
        ok: false,
        misfit: why,
      })
      expect(await host.value(3)).toBe(await host.value(1))
    })

    it('a check may change its input: it is a copy', async () => {
      const { executor, host } = await open()
      const input = { list: [1, 2] }
      await host.done(executor, [runOf(1, 'changesInput', input), runOf(2, 'changesInput', input)])
      expect([await host.value(1), await host.value(2)]).toEqual([3, 3])
      expect(input).toEqual({ list: [1, 2] })
    })

    it('a check that never answers fails the attempt when its time is up', async () => {
      const { executor, host } = await open()
      await host.done(executor, [runOf(1, 'hangs')])
      expect(await host.error(1)).toMatchObject({ code: 'timeout' })
    })
  })
}
