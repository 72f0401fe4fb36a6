import { describe, expect, it } from 'vitest';
import { findRefusals, TOO_CLOSE, type SuiteText } from './refusals.js';

const scenario = (name: string, options: Partial<SuiteText> = {}): SuiteText => ({
  name,
  split: 'train',
  inputs: [],
  literals: [],
  ...options,
});
const insert = (after: string) => ({ before: null, after, editKey: `insert||${after}` });
const INPUT = 'Please book a table for six people at the harbour on Friday.';
const EIGHT = 'Always book a table for six people at the desk.';
const SEVEN = 'Always book a table for six people at once.';

describe('findRefusals', () => {
  it('lets an edit pass that repeats nothing', () => {
    const suite = [scenario('a', { inputs: [INPUT], literals: ['reservation made'] })];
    expect(findRefusals(insert('Be brief.'), { suite, tried: [], by: 'model' })).toEqual([]);
  });

  it('refuses eight words in a row of what the user says, but not seven', () => {
    const suite = [scenario('a', { inputs: ['Hello.', INPUT.toUpperCase()] })];
    const [refusal] = findRefusals(insert(EIGHT), { suite, tried: [], by: 'model' });
    expect(refusal).toMatchObject({ kind: 'overlap', severity: 'refuse', disclosesHoldout: false });
    expect(refusal?.message).toContain('scenario a: "book a table for six people at the"');
    expect(findRefusals(insert(SEVEN), { suite, tried: [], by: 'model' })).toEqual([]);
  });

  it('does not hold words against an edit that the sentence had before', () => {
    const suite = [scenario('a', { inputs: [INPUT] })];
    const rewrite = { before: EIGHT, after: `${EIGHT.slice(0, -1)} kindly.`, editKey: 'k' };
    expect(findRefusals(rewrite, { suite, tried: [], by: 'model' })).toEqual([]);
  });

  it('counts words in scripts without spaces', () => {
    const input = '明日の朝までに会議の資料を全部まとめて送ってください';
    const suite = [scenario('a', { inputs: [input] })];
    expect(findRefusals(insert(`必ず${input}。`), { suite, tried: [], by: 'model' })).toHaveLength(1);
  });

  it('refuses a literal of 12 characters that only one scenario looks for', () => {
    const suite = [scenario('a', { literals: ['table booked'] }), scenario('b', { literals: ['short one'] })];
    const found = findRefusals(insert('Say  "Table booked" and "short one".'), { suite, tried: [], by: 'model' });
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ kind: 'literal', severity: 'refuse' });
  });

  it('allows a literal that two scenarios look for', () => {
    const suite = [scenario('a', { literals: ['table booked'] }), scenario('b', { literals: ['Table Booked'] })];
    expect(findRefusals(insert('Say "table booked".'), { suite, tried: [], by: 'model' })).toEqual([]);
  });

  it('only warns a person', () => {
    const suite = [scenario('a', { inputs: [INPUT] })];
    expect(findRefusals(insert(EIGHT), { suite, tried: [], by: 'person' })).toMatchObject([{ severity: 'warn' }]);
  });

  it('says of hidden scenarios that one is close and nothing else, once', () => {
    const suite = [
      scenario('secret-one', { split: 'holdout', inputs: [INPUT] }),
      scenario('secret-two', { split: 'holdout', inputs: [INPUT], literals: ['six people at'] }),
    ];
    const found = findRefusals(insert(EIGHT), { suite, tried: [], by: 'model' });
    expect(found.map((r) => [r.message, r.disclosesHoldout])).toEqual([[TOO_CLOSE, true]]);
  });

  it('refuses an edit that was tried, by a person as well', () => {
    const tried = [{ id: 7, editKey: 'insert||Be brief.' }];
    const found = findRefusals(insert('Be brief.'), { suite: [], tried, by: 'person' });
    expect(found).toMatchObject([{ kind: 'tried', severity: 'refuse' }]);
    expect(found[0]?.message).toContain('experiment 7');
  });
});
