import { KarpathyError } from '../errors.js';
import { applyExperiment } from '../services/apply.js';
import { approve } from '../services/approve.js';
import { finish } from '../services/finish.js';
import { ownExperiment } from '../services/ownExperiment.js';
import { revertExperiment } from '../services/revert.js';
import { appliedText, autoRevertText } from '../text/applied.js';
import { done, type SlashRun } from './answer.js';
import { idOf, type SlashCall } from './call.js';
import { askForCode } from './gateway.js';

const CODE = /^[0-9A-F]{6}$/i;

/** The words after the number: what the person says, and in a gateway the code as the last one. */
function spoken(call: SlashCall, inGateway: boolean): { words: string; code: string | undefined } {
  const rest = call.words.slice(1);
  const last = rest.at(-1);
  const hasCode = inGateway && last !== undefined && CODE.test(last);
  return { words: (hasCode ? rest.slice(0, -1) : rest).join(' '), code: hasCode ? last : undefined };
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', "'")}"`;
}

/** Does it at once in a local chat; in a gateway only with the code that was shown for exactly this. */
async function decide(
  run: SlashRun,
  decision: { id: number; line: string; effect: string; code: string | undefined; act: () => Promise<string> },
): Promise<string> {
  if (run.inGateway) {
    const question = askForCode(run.ctx, run.look, decision);
    if (question !== null) return question;
  }
  return done(run, decision.id, await decision.act());
}

export async function approveFromChat(run: SlashRun): Promise<string> {
  const { ctx, call } = run;
  const id = idOf(call);
  const apply = call.options.apply === true;
  const autoRevert = call.options['no-auto-revert'] !== true;
  const agreed = autoRevertText(autoRevert);
  const { override } = call.options;
  const reason = typeof override === 'string' ? override : undefined;
  const { targetRelpath } = ownExperiment(ctx, id);
  const line = [
    `approve ${id}`,
    ...(apply ? ['--apply'] : []),
    ...(reason === undefined ? [] : [`--override ${quoted(reason)}`]),
    ...(autoRevert ? [] : ['--no-auto-revert']),
  ].join(' ');
  return decide(run, {
    id,
    line,
    effect: `${apply ? `${targetRelpath} is written; new sessions use it` : 'approved; nothing is written yet'}; ${agreed}`,
    code: spoken(call, run.inGateway).code,
    act: async () => {
      await approve(ctx, id, { ...(reason === undefined ? {} : { override: reason }), autoRevert });
      const approved = `Experiment ${id} is approved.${apply ? ` ${appliedText(await applyExperiment(ctx, id))}` : ''}`;
      return `${approved}\nAgreed: ${agreed}.`;
    },
  });
}

export async function applyFromChat(run: SlashRun): Promise<string> {
  const { ctx, call } = run;
  const id = idOf(call);
  const { targetRelpath } = ownExperiment(ctx, id);
  return decide(run, {
    id,
    line: `apply ${id}`,
    effect: `${targetRelpath} is written; new sessions use it`,
    code: spoken(call, run.inGateway).code,
    act: async () => appliedText(await applyExperiment(ctx, id)),
  });
}

export async function revertFromChat(run: SlashRun): Promise<string> {
  const { ctx, call } = run;
  const id = idOf(call);
  const { targetRelpath } = ownExperiment(ctx, id);
  const { words, code } = spoken(call, run.inGateway);
  const given = typeof call.options.reason === 'string' ? call.options.reason.trim() : words;
  if (given === '') {
    throw new KarpathyError('bad_usage', 'A revert needs a reason.', {
      hint: `For example: /karpathy revert ${id} too rude`,
    });
  }
  return decide(run, {
    id,
    line: `revert ${id} --reason ${quoted(given)}`,
    effect: `${targetRelpath} gets its prior bytes back`,
    code,
    act: async () => {
      await revertExperiment(ctx, id, { reason: given });
      return `Reverted: ${targetRelpath} has its prior bytes back.`;
    },
  });
}

export async function finishFromChat(run: SlashRun): Promise<string> {
  const { ctx, call } = run;
  const id = idOf(call);
  const { keep, revert, again } = call.options;
  const chosen = [typeof keep === 'string', revert === true, again === true].filter(Boolean).length;
  if (chosen !== 1) {
    throw new KarpathyError('bad_usage', 'finish needs exactly one of --keep REASON, --revert, --again.', {
      hint: `For example: /karpathy finish ${id} --again`,
    });
  }
  const [line, effect] =
    typeof keep === 'string'
      ? [`finish ${id} --keep ${quoted(keep)}`, `experiment ${id} is kept as verified by your decision`]
      : revert === true
        ? [`finish ${id} --revert`, 'the file gets its prior bytes back']
        : [`finish ${id} --again`, 'the live window opens once more'];
  return decide(run, {
    id,
    line,
    effect,
    code: spoken(call, run.inGateway).code,
    act: async () => {
      await finish(ctx, id, typeof keep === 'string' ? { keep } : revert === true ? { revert } : { again: true });
      return `Done: ${effect}.`;
    },
  });
}
