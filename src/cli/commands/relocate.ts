import { resolve } from 'node:path';
import * as z from 'zod';
import { forgetProfile, planRelocation, relocate, type RelocateRequest } from '../../services/relocate.js';
import { field, type Look } from '../../text/look.js';
import { relocationText } from '../../text/relocation.js';
import { agree } from '../agree.js';
import { command, type Answer, type Session } from '../command.js';
import { flag } from '../inputs.js';

const place = z.string().trim().min(1, 'must not be empty');

export const relocateCommand = command({
  path: 'relocate',
  group: 'Run',
  summary: 'say where a renamed or moved profile lies now, so that its history goes on there',
  details:
    'A profile is known by the real path of its home. After `hermes profile rename`, or when a Hermes root was moved, copied or brought to another machine, name the old place: the home or the name of a profile, or the old Hermes root with all its profiles. No file is moved. `status` and `doctor` name profiles whose home is gone.',
  usage: '--from <place> [--to <place>] [options]',
  options: [
    { flags: '--from <place>', summary: 'where it was: the home of a profile, its name, or the Hermes root' },
    { flags: '--to <place>', summary: 'where it is now (default: this profile, or this Hermes root)' },
    { flags: '--edited', summary: 'the target was edited since; go on although the text is another' },
    { flags: '--still-there', summary: 'what is at the old place is another profile, or the original of this copy' },
    { flags: '--forget', summary: 'the profile was deleted: stop asking where it is; its records stay' },
    { flags: '--yes', summary: 'do not ask on the terminal' },
  ],
  examples: [
    'relocate --from dev',
    'relocate --from /home/me/.hermes --to /srv/hermes',
    'relocate --from /home/me/.hermes/profiles/old --forget',
  ],
  withoutTerminal: 'Add --yes to skip the question.',
  bare: true,
  input: z
    .object({
      from: place.optional(),
      to: place.optional(),
      edited: flag,
      stillThere: flag,
      forget: flag,
      yes: flag,
    })
    .refine((given) => given.from !== undefined, { error: 'is needed: where it was', path: ['from'] })
    .refine((given) => !given.forget || (given.to === undefined && !given.edited && !given.stillThere), {
      error: 'goes with --from alone',
      path: ['forget'],
    }),
  async run(session, { from = '', to, edited, stillThere, forget, yes }) {
    const here = (path: string) => resolve(session.io.cwd ?? process.cwd(), path);
    // A name stays a name; anything with a slash is a path.
    const old = from.includes('/') || from.startsWith('.') ? here(from) : from;
    if (forget) return forgetIt(session, old, yes);
    const request: RelocateRequest = { from: old, to: to === undefined ? null : here(to), edited, stillThere };
    await agree(session, {
      what: 'where a profile lies',
      possible: () => void planRelocation(session.ctx, request),
      question: 'Is that right?',
      preview: () => relocationText(session.look, planRelocation(session.ctx, request), 'asked'),
      yes,
    });
    const done = await relocate(session.ctx, request);
    return { data: done, text: (look: Look) => relocationText(look, done, 'done') };
  },
});

async function forgetIt(session: Session, from: string, yes: boolean): Promise<Answer> {
  await agree(session, {
    what: 'giving up a profile',
    question: `Stop asking where ${from} is?`,
    preview: 'Its records stay; `relocate --from` takes them up again should it turn up.',
    yes,
  });
  const forgotten = forgetProfile(session.ctx, from);
  return {
    data: { forgotten },
    text: (look) =>
      [
        `${look.colors.green('✓')} ${forgotten.name} at ${forgotten.rootPath} is forgotten; its records stay.`,
        field(look, 'take up', `relocate --from ${forgotten.name}`),
      ].join('\n'),
  };
}
