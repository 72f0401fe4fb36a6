import assert from 'node:assert/strict';
import fc from 'fast-check';
import { checkGit, viewOf } from './gitView.js';
import { follow, prepared, propose, type Deed, type Outcome, type Plain } from './plain.js';
import type { RealWorld } from './real.js';

/** What both sides know of each other during a run. */
export interface Model {
  plain: Plain;
  /** A command died: its commit may still be made. */
  commitOwed: boolean;
  sentences: number;
  texts: number;
  readonly count: (what: string) => void;
}

export const DEATHS = 'died on the way';

type Command = fc.AsyncCommand<Model, RealWorld>;

/** How many points a command passes, about; more only means that it is done before. */
const POINTS: Readonly<Record<Deed, number>> = {
  ...{ propose: 12, approve: 12, reject: 12, keep: 16, keepMine: 12, tick: 8 },
  ...{ apply: 110, revert: 110, restore: 110 },
};

/** A command on the newest, the second newest, ... experiment; `share`: where on its way it dies, null = it does not. */
class Give implements Command {
  constructor(
    readonly deed: Deed,
    readonly which: number,
    readonly share: number | null,
  ) {}

  check({ plain }: Readonly<Model>): boolean {
    // What a person deletes cannot be edited, and there must be something to decide.
    return this.deed === 'propose' ? plain.file !== null : this.deed === 'tick' || plain.experiments.length > 0;
  }

  async run(model: Model, real: RealWorld): Promise<void> {
    const { deed, share } = this;
    model.count(deed);
    const { experiments } = model.plain;
    const id = experiments.at(-1 - (this.which % Math.max(1, experiments.length)))?.id ?? 0;
    const sentence = `Sentence ${++model.sentences}.`;
    const killAt = share === null ? null : 1 + Math.floor(share * POINTS[deed]);
    const before = viewOf(real.repository);
    const done = await real.run({ deed, id, sentence, killAt });
    const seen = await real.look();
    const first = prepared(model.plain);
    const expected = this.#outcome(first, { id, sentence, newId: seen.experiments.at(-1)?.id ?? 0 });
    if (done.killed) {
      adopt(model, seen, possible(model.plain, first, expected));
      model.commitOwed = true;
      model.count(DEATHS);
      return;
    }
    assert.equal(done.error, expected.error, 'the error');
    assert.deepEqual(seen, expected.after);
    await real.check();
    const { operation } = expected;
    if (operation?.kind === 'restore' && operation.prior !== null) {
      assert.ok(await real.isKept(id, operation.prior), 'what a person wrote is kept');
    }
    const owed = model.commitOwed || model.plain.open !== null;
    const commits = operation !== null && before.isTargetClean && operation.prior !== operation.next ? 1 : 0;
    checkGit(real.repository, before, owed ? null : commits);
    model.plain = expected.after;
    model.commitOwed = false;
  }

  #outcome(plain: Plain, with_: { id: number; sentence: string; newId: number }): Outcome {
    if (this.deed === 'tick') return { after: plain, error: null, operation: null };
    if (this.deed === 'propose') return propose(plain, with_.sentence, with_.newId);
    return follow(plain, this.deed, with_.id);
  }

  toString(): string {
    return `${this.deed}(${this.which})${this.share === null ? '' : ` dies at ${this.share.toFixed(3)}`}`;
  }
}

/** Everything that a command which died may leave: nothing done, half of its first step, its intent, its file, all. */
function possible(before: Plain, first: Plain, { after, operation }: Outcome): Plain[] {
  const { open } = before;
  return [
    before,
    ...(open === null ? [] : [{ ...before, file: open.next }]),
    first,
    ...(operation === null
      ? []
      : [
          { ...first, open: operation },
          { ...first, open: operation, file: operation.next },
        ]),
    after,
  ];
}

/** Takes over what is there, if it is one of those. Marks that say no state may have been written or not. */
function adopt(model: Model, seen: Plain, allowed: readonly Plain[]): void {
  const unmarked = ({ file, experiments, open }: Plain) => ({
    ...{ file, open },
    experiments: experiments.map(({ id, state, base, candidate }) => ({ id, state, base, candidate })),
  });
  const text = JSON.stringify(unmarked(seen));
  const fits = allowed.some((plain) => JSON.stringify(unmarked(plain)) === text);
  if (!fits) assert.deepEqual(unmarked(seen), allowed.map(unmarked), 'after its death, one of these');
  model.plain = seen;
}

/** Of a person, who saves what they like: a new text, one of the texts that were there, or none. */
class Save implements Command {
  constructor(readonly what: 'new' | 'base' | 'candidate' | 'none') {}
  check = ({ plain }: Readonly<Model>): boolean => this.what === 'new' || plain.experiments.length > 0;

  async run(model: Model, real: RealWorld): Promise<void> {
    model.count(`person saves ${this.what}`);
    const last = model.plain.experiments.at(-1);
    const texts = {
      new: `A person wrote this as number ${++model.texts}.\n`,
      ...{ base: last?.base ?? null, candidate: last?.candidate ?? null, none: null },
    };
    real.save(texts[this.what]);
    model.plain = { ...model.plain, file: texts[this.what] };
  }

  toString = (): string => `person saves ${this.what}`;
}

const GIT = {
  'commit everything': [
    ['add', '--all'],
    ['commit', '--quiet', '--message', 'a person commits'],
  ],
  'stage the target': [['add', 'SOUL.md']],
  'switch to other': [['checkout', '--quiet', 'other']],
  'switch to main': [['checkout', '--quiet', 'main']],
  detach: [['checkout', '--quiet', '--detach']],
  'change another file': [],
} as const;

/** Of a person with git. What git refuses is not done; what it makes of the file is a person's doing. */
class Git implements Command {
  constructor(readonly what: keyof typeof GIT) {}
  check = (): boolean => true;

  async run(model: Model, real: RealWorld): Promise<void> {
    model.count(`git: ${this.what}`);
    if (this.what === 'change another file') real.repository.write('notes.md', `Note ${++model.texts}.\n`);
    for (const args of GIT[this.what]) {
      try {
        real.repository.git(...args);
      } catch {
        break;
      }
    }
    model.plain = { ...model.plain, file: real.read() };
  }

  toString = (): string => `git: ${this.what}`;
}

const which = fc.nat({ max: 2 });
const share = fc.double({ min: 0, max: 0.999, noNaN: true });
/** One command of four dies. */
const death = fc.oneof({ weight: 3, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: share });
const give = (deed: Deed) => fc.tuple(which, death).map(([w, at]) => new Give(deed, w, at));
/** On the newest experiment: likely to be carried out. */
const mostly = (deed: Deed) => death.map((at) => new Give(deed, 0, at));

/** Sequences of commands; the way of one edit is frequent enough to be gone to its end. */
export const sequences = (maxCommands: number) =>
  fc.commands<Model, RealWorld, false>(
    [
      ...(['propose', 'propose', 'approve', 'approve', 'apply', 'apply', 'revert', 'keep'] as const).map(mostly),
      ...(
        ['propose', 'approve', 'apply', 'revert', 'reject', 'keep', 'keepMine', 'restore', 'restore', 'tick'] as const
      ).map(give),
      fc.constantFrom('new', 'new', 'base', 'candidate', 'none').map((what) => new Save(what)),
      fc.constantFrom(...(Object.keys(GIT) as (keyof typeof GIT)[])).map((what) => new Git(what)),
    ],
    { maxCommands, size: 'max', disableReplayLog: true },
  );
