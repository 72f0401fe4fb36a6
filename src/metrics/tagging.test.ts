import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TagState } from '../domain/sessionTag.js';
import type { SpoolHookEvent } from '../schemas.js';
import { excludedBySource, nextTag, type TagFacts } from './tagging.js';

function event(over: Partial<SpoolHookEvent> = {}): SpoolHookEvent {
  return {
    v: 1,
    id: 'e',
    hook: 'pre_llm_call',
    session_id: 's',
    turn_id: 't',
    home: '/h',
    is_first_turn: true,
    model: 'm',
    platform: 'cli',
    write_origin: 'assistant_tool',
    trial: false,
    at: 1000,
    ...over,
  };
}

const facts: TagFacts = { parentSessionId: null, contentSha256: 'new', startedAt: 400, excludedReason: null };

function fold(events: readonly SpoolHookEvent[], known: TagFacts | null = null): TagState | null {
  return events.reduce<TagState | null>((tag, one) => nextTag(tag, one, known), null);
}

describe('nextTag', () => {
  it('dates a session by its first turn, and one that was resumed by the host', () => {
    expect(nextTag(null, event(), facts).startedAt).toBe(1000);
    expect(nextTag(null, event({ is_first_turn: false }), facts).startedAt).toBe(400);
    expect(nextTag(null, event({ is_first_turn: false }), null).startedAt).toBe(1000);
    // The first turn's end may be ingested before its beginning.
    const ended = event({ hook: 'post_llm_call', is_first_turn: null, at: 2000 });
    expect(fold([ended, event()], facts)?.startedAt).toBe(1000);
    expect(fold([event(), ended], facts)?.startedAt).toBe(1000);
  });

  it('does not count a background review, nor lets it hide the conversation it reviews', () => {
    const review = event({ write_origin: 'background_review', at: 2000 });
    expect(fold([review])).toMatchObject({
      excludedReason: 'background_review',
      startedTurns: 0,
      lastTurnAt: null,
      backgroundTurns: 1,
    });
    const both = { excludedReason: null, startedTurns: 1, lastTurnAt: 1000 };
    expect(fold([review, event()])).toMatchObject(both);
    expect(fold([event(), review])).toMatchObject(both);
  });

  it.each([
    [event({ trial: true }), null, 'trial'],
    [event({ platform: 'subagent' }), null, 'subagent'],
    [event({ platform: 'cron' }), null, 'cron'],
    [event(), { ...facts, excludedReason: 'cron' }, 'cron'],
    [event({ platform: 'telegram' }), facts, null],
  ])('tells apart what no person holds (%#)', (one, known, reason) => {
    expect(nextTag(null, one, known).excludedReason).toBe(reason);
  });

  it('keeps an exclusion once it is known', () => {
    expect(fold([event({ platform: 'cron' }), event({ platform: null })])?.excludedReason).toBe('cron');
  });

  it('keeps the known text while the host can not be asked, and takes what the host says now', () => {
    const known = nextTag(null, event(), facts);
    expect(nextTag(known, event(), null).contentSha256).toBe('new');
    expect(nextTag(known, event(), { ...facts, contentSha256: null }).contentSha256).toBeNull();
  });

  it('ends the same in whatever order the events of several writers arrive', () => {
    const one = fc.record({
      hook: fc.constantFrom('pre_llm_call' as const, 'post_llm_call' as const),
      at: fc.integer({ min: 0, max: 5000 }),
      write_origin: fc.constantFrom('assistant_tool', 'background_review'),
    });
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 8 }), fc.nat(), (parts, seed) => {
        const events = parts.map((part) => event({ ...part, is_first_turn: null }));
        const turned = [...events.slice(seed % events.length), ...events.slice(0, seed % events.length)];
        const { startedAt: a, ...left } = fold(events) ?? { startedAt: 0 };
        const { startedAt: b, ...right } = fold(turned) ?? { startedAt: 0 };
        expect(left).toEqual(right);
        const turns = parts.filter((part) => part.write_origin !== 'background_review').map((part) => part.at);
        const earliest = Math.min(...parts.map((part) => part.at));
        for (const start of [a, b]) expect(start).toBeGreaterThanOrEqual(earliest);
        if (turns.length === parts.length) expect([a, b]).toEqual([earliest, earliest]);
      }),
    );
  });
});

describe('excludedBySource', () => {
  const why = (source: string | null, ancestorSources: string[] = [], delegated = false) =>
    excludedBySource({ source, ancestorSources, delegated });

  it('follows the sessions a session was split from', () => {
    expect(why('cli')).toBeNull();
    expect(why('cli', ['cli', 'cron'])).toBe('cron');
    expect(why('tool')).toBe('tool');
    expect(why(null)).toBeNull();
  });

  it('knows a subagent under a source of its own', () => {
    expect(why('telegram', [], true)).toBe('subagent');
  });
});
