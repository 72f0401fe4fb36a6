import { describe, expect, it } from 'vitest';
import type { CalibrationPlan } from '#src/services/calibration.js';
import type { CalibrationView } from '#src/services/calibrationView.js';
import { cli } from '../cli/harness.js';
import { count, evaluation } from '../evaluation/fixture.js';

const fixture = () => evaluation({ train: 2, holdout: 6, outcome: (_spec, call) => call % 3 > 0 });

describe('calibrate', () => {
  it('shows what it is expected to take, asks, runs, and is remembered by status', async () => {
    const test = fixture();
    const run = await cli(test, ['calibrate', '--placebos', '0'], { answers: [true] });
    expect(run).toMatchObject({ code: 0, asked: ['Run it?'] });
    expect(run.stderr).toContain('48 trials');
    expect(run.stderr).toContain('none is spent');
    const words = run.stdout.replaceAll(/\s+/g, ' ');
    expect(words).toMatch(/ order second minus first .* An order effect of [\d.]+ points would have been seen/);
    expect(words).toContain('sorted, without names: ');
    expect(run.stdout).not.toContain('holdout-');
    // A share of kept edits that comes from drawing the same trials again would be alpha whatever is broken.
    expect(run.stdout).not.toMatch(/false.keep/i);
    test.clock.advance(3 * 24 * 3_600_000);
    const status = await cli(test, ['status']);
    expect(status.stdout).toMatch(/calibrated +3 days ago: no order effect above [\d.]+ points/);
    const shown = await cli(test, ['calibrate', '--show', '--json']);
    expect(shown.json<CalibrationView>()).toMatchObject({ id: 1, scenarios: { train: 2, holdout: 6 }, epochs: 3 });
  });

  it('runs nothing for --estimate, after a no, and without anyone to ask', async () => {
    const test = fixture();
    const estimate = await cli(test, ['calibrate', '--estimate', '--epochs', '4', '--json']);
    expect(estimate.json<CalibrationPlan>()).toMatchObject({
      options: { epochs: 4, holdout: true, placebos: 1 },
      estimate: { trials: 64 + 16 },
    });
    expect((await cli(test, ['calibrate'], { answers: [false] })).code).toBe(3);
    const silent = await cli(test, ['calibrate', '--json'], { terminal: false });
    expect(silent.error()).toMatchObject({ code: 'bad_usage', hint: expect.stringContaining('--yes') as string });
    expect(count(test, 'SELECT COUNT(*) FROM jobs')).toBe(0);
    expect(
      (await cli(test, ['calibrate', '--train-only', '--placebos', '0', '--yes', '--json'], { terminal: false })).code,
    ).toBe(0);
    expect(new Set(test.ran.map(({ scenario }) => scenario.split))).toEqual(new Set(['train']));
  });

  it.each([
    [['--epochs', '1'], /a number from 2 to 20/],
    [['--epochs', 'many'], /a number from 2 to 20/],
    [['--placebos', '9'], /a number from 0 to 5/],
    [['--placebo', 'Be brief.'], /sentence's number, a colon/],
    [['--placebo', '77:Be brief.'], /no sentence 77/],
  ])('refuses %j in words', async (argv, message) => {
    const run = await cli(fixture(), ['calibrate', ...argv, '--yes', '--json']);
    expect(run.code).toBe(2);
    expect(JSON.stringify(run.error())).toMatch(message);
  });

  it('has nothing to show before the first', async () => {
    const run = await cli(fixture(), ['calibrate', '--show', '--json']);
    expect(run.error()).toMatchObject({ code: 'wrong_state', message: 'This profile was never calibrated.' });
  });
});
