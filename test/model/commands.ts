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

/** How many points a command passes when it is carried out in git. */
const POINTS: Readonly<Record<Deed, number>> = {
  ...{ propose: 24, approve: 38, reject: 38, keep: 44, keepMine: 38, tick: 20 },
  ...{ apply: 206, revert: 148, restore: 170 },
};
/** From the intent to the commit of file and state: half of the deaths are there. */
const JOURNAL: Readonly<Partial<Record<Deed, readonly [number, number]>>> = {
  ...{ apply: [89, 154], revert: [37, 98], restore: [50, 120] },
};

function pointOf(deed: Deed, share: number): number {
  const [from, to] = JOURNAL[deed] ?? [1, POINTS[deed]];
  if (share < 0.5) return 1 + Math.floor(2 * share * POINTS[deed]);
  return from + Math.floor((2 * share - 1) * (to - from));
}

/** What leads the newest experiment on. */
function nextDeed({ experiments }: Plain, which: number): Deed {
  const state = experiments.at(-1)?.state;
  if (state === 'proposed') return 'approve';
  if (state === 'approved') return 'apply';
  if (state === 'live') return which === 0 ? 'keep' : 'revert';
  return state === 'verified' && which === 0 ? 'revert' : 'propose';
}

/** A command on the newest, the second newest, ... experiment; `share`: where on its way it dies, null = it does not. */
class Give implements Command {
  constructor(
    readonly wanted: Deed | 'next',
    readonly which: number,
    readonly share: number | null,
  ) {}

  #deed(plain: Plain): Deed {
    return this.wanted === 'next' ? nextDeed(plain, this.which) : this.wanted;
  }

  check({ plain }: Readonly<Model>): boolean {
    const deed = this.#deed(plain);
    // What a person deletes cannot be edited, and there must be something to decide.
    return deed === 'propose' ? plain.file !== null : deed === 'tick' || plain.experiments.length > 0;
  }

  async run(model: Model, real: RealWorld): Promise<void> {
    const { experiments, open } = model.plain;
    const deed = this.#deed(model.plain);
    model.count(deed);
    const back = this.wanted === 'next' ? 0 : this.which % Math.max(1, experiments.length);
    const id = experiments.at(-1 - back)?.id ?? 0;
    const sentence = `Sentence ${++model.sentences}.`;
    const killAt = this.share === null ? null : pointOf(deed, this.share);
    const owed = model.commitOwed || open !== null;
    const git = owed || WRITERS.includes(deed) ? viewOf(real.repository) : null;
    const done = await real.run({ deed, id, sentence, killAt });
    const seen = await real.look();
    const first = prepared(model.plain);
    const expected = outcome(first, { deed, id, sentence, newId: seen.experiments.at(-1)?.id ?? 0 });
    if (done.killed) {
      adopt(model, seen, possible(model.plain, first, expected));
      model.commitOwed = true;
      model.count(DEATHS);
      if (seen.open !== null)
        model.count(`${seen.open.kind} left ${seen.file === seen.open.next ? 'written' : 'intended'}`);
      return;
    }
    assert.equal(done.error, expected.error, 'the error');
    assert.deepEqual(seen, expected.after);
    await real.check();
    const { operation } = expected;
    if (operation?.kind === 'restore' && operation.prior !== null) {
      assert.ok(await real.isKept(id, operation.prior), 'what a person wrote is kept');
    }
    if (git !== null) {
      const commits = operation !== null && git.isTargetClean && operation.prior !== operation.next ? 1 : 0;
      checkGit(real.repository, git, owed ? null : commits);
    }
    model.plain = expected.after;
    model.commitOwed = false;
  }

  toString(): string {
    return `${this.wanted}(${this.which})${this.share === null ? '' : ` dies at ${this.share.toFixed(3)}`}`;
  }
}

/** Ends every sequence: what the last death left is settled, too. */
export const lastLook: Command = new Give('tick', 0, null);

/** These change the file, and commit it. */
const WRITERS: readonly Deed[] = ['apply', 'revert', 'restore'];

function outcome(plain: Plain, of: { deed: Deed; id: number; sentence: string; newId: number }): Outcome {
  if (of.deed === 'tick') return { after: plain, error: null, operation: null };
  return of.deed === 'propose' ? propose(plain, of.sentence, of.newId) : follow(plain, of.deed, of.id);
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
// Of whole numbers: fc.double draws among all floats, of which most are next to nothing.
const share = fc.nat({ max: 9999 }).map((part) => part / 10_000);
/** One command of three dies. */
const death = fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: share });
const give = (deed: Deed | 'next') => fc.tuple(which, death).map(([w, at]) => new Give(deed, w, at));

/** Sequences of commands; the way of one edit is frequent enough to be gone to its end. */
export const sequences = (maxCommands: number) =>
  fc.commands<Model, RealWorld, false>(
    [
      ...Array.from({ length: 10 }, () => give('next')),
      ...(['propose', 'approve', 'apply', 'revert', 'reject', 'keep', 'keepMine', 'restore', 'tick'] as const).map(
        give,
      ),
      fc.constantFrom('new', 'new', 'base', 'candidate', 'none').map((what) => new Save(what)),
      fc.constantFrom(...(Object.keys(GIT) as (keyof typeof GIT)[])).map((what) => new Git(what)),
    ],
    { maxCommands, size: 'max', disableReplayLog: true },
  );
