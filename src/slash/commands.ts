import { budgetLimits } from '../services/budget.js';
import { diffView } from '../services/diffView.js';
import { historyList, historyOf } from '../services/historyView.js';
import { ownExperiment } from '../services/ownExperiment.js';
import { pauseProfile, resumeProfile } from '../services/pause.js';
import { reject } from '../services/reject.js';
import { show } from '../services/show.js';
import { status } from '../services/status.js';
import { whichExperiment } from '../services/whichExperiment.js';
import { diffText } from '../text/diff.js';
import { historyText, transitionsText } from '../text/history.js';
import type { SlashName } from '../text/next.js';
import { showText } from '../text/show.js';
import { statusText } from '../text/status.js';
import { done, type SlashRun } from './answer.js';
import { idOf, optionalId, reasonOf } from './call.js';
import { calibrateFromChat } from './calibrate.js';
import { applyFromChat, approveFromChat, finishFromChat, revertFromChat } from './decisions.js';
import { proposeFromChat } from './propose.js';

export interface SlashCommand {
  readonly usage: string;
  readonly summary: string;
  readonly changes: boolean;
  run(run: SlashRun): Promise<string> | string;
}

const HISTORY_IN_CHAT = 15;

export const SLASH_COMMANDS: Readonly<Record<SlashName, SlashCommand>> = {
  status: {
    usage: 'status',
    summary: 'where the profile stands, and what to do next',
    changes: false,
    run: async ({ ctx, look }) => statusText(look, await status(ctx), ctx.clock.now()),
  },
  show: {
    usage: 'show [id]',
    summary: 'the change, its evidence and verdict',
    changes: false,
    run: async ({ ctx, look, call }) =>
      showText(look, await show(ctx, whichExperiment(ctx, optionalId(call))), {
        now: ctx.clock.now(),
        budget: budgetLimits(ctx),
      }),
  },
  diff: {
    usage: 'diff [id]',
    summary: 'the change by words and lines',
    changes: false,
    run: ({ ctx, look, call }) => diffText(look, diffView(ownExperiment(ctx, whichExperiment(ctx, optionalId(call))))),
  },
  history: {
    usage: 'history [id]',
    summary: 'all experiments, or what happened to one',
    changes: false,
    run: ({ ctx, look, call }) => {
      const id = optionalId(call);
      return id === undefined
        ? historyText(look, historyList(ctx, { limit: HISTORY_IN_CHAT }))
        : transitionsText(look, id, historyOf(ctx, id));
    },
  },
  propose: {
    usage: "propose [--rewrite N 'text' | --insert-after N 'text' | --delete N]",
    summary: 'a new change, by the model or in your words; runs in the background',
    changes: true,
    run: proposeFromChat,
  },
  calibrate: {
    usage: 'calibrate [--yes | --show]',
    summary: 'run the present text against itself: what it takes, do it in the background, or the last result',
    changes: true,
    run: calibrateFromChat,
  },
  approve: {
    usage: "approve id [--apply] [--override 'reason'] [--no-auto-revert]",
    summary: 'agree to a change',
    changes: true,
    run: approveFromChat,
  },
  reject: {
    usage: 'reject id reason',
    summary: 'end a proposed or approved change',
    changes: true,
    run: async (run) => {
      const id = idOf(run.call);
      await reject(run.ctx, id, { reason: reasonOf(run.call, 'reason') });
      return done(run, id, `Experiment ${id} is rejected.`);
    },
  },
  apply: { usage: 'apply id', summary: 'write an approved change into the file', changes: true, run: applyFromChat },
  revert: {
    usage: 'revert id reason',
    summary: 'put the exact bytes from before a change back',
    changes: true,
    run: revertFromChat,
  },
  finish: {
    usage: "finish id --keep 'reason' | --revert | --again",
    summary: 'decide about a live window that ended with too little data',
    changes: true,
    run: finishFromChat,
  },
  pause: {
    usage: 'pause [reason]',
    summary: 'propose nothing by itself any more',
    changes: true,
    run: ({ ctx, call }) => {
      const reason = reasonOf(call, 'reason', 0);
      pauseProfile(ctx, reason === '' ? {} : { reason });
      return 'Paused. /karpathy resume ends it.';
    },
  },
  resume: {
    usage: 'resume',
    summary: 'end a pause, and queue again what it or an outage stopped',
    changes: true,
    run: ({ ctx }) => {
      resumeProfile(ctx);
      return 'The pause is over.';
    },
  },
  help: { usage: 'help', summary: 'this list', changes: false, run: () => helpText() },
};

export function helpText(): string {
  const lines = Object.values(SLASH_COMMANDS).map(({ usage, summary }) => `/karpathy ${usage}\n    ${summary}`);
  return [
    'Improves this profile one proven sentence at a time.',
    '',
    ...lines,
    '',
    'More in a terminal: hermes karpathy --help',
  ].join('\n');
}
