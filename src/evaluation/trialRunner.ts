import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Scrubber } from '../domain/secrets.js';
import { isKarpathyError, KarpathyError, whyNotWritten } from '../errors.js';
import type { HermesCommand, TrialResult, TrialRunner, TrialSpec } from '../ports.js';
import { userTurns } from '../schemas.js';
import { readGuardRecord, type GuardRecord } from './guardRecord.js';
import { textOf, type HermesProcess, type LaidSlot } from './hermesProcess.js';
import type { ContainerSettings } from './container/containedProcess.js';
import { askHostFacts, type HostFacts } from './hostFacts.js';
import { canBeReached } from './reachProvider.js';
import { laySlot, slotPaths, wipeSlots, type SlotPaths, type SlotSource, type SlotTrial } from './slot.js';
import { readSlotConfig } from './slotConfig.js';
import { holdSlots, type SlotHold } from './slotHold.js';
import { frozenDir, slotTemplate, type Laid, type SlotTemplate } from './slotTemplate.js';
import { watchSleep, type Clocks } from './sleepWatch.js';
import { readStateDb, type StoredTrial } from './stateDb.js';
import { trialEnv } from './trialEnv.js';
import { costOf, evidence, tokensOf, type Prices } from './trialEvidence.js';
import { asHostReads, judgeEnd, type ProcessEnd } from './trialOutcome.js';

export interface TrialRunnerOptions {
  readonly hermes: HermesCommand;
  readonly slotsDir: string;
  /** Where host/slot_guard and host/slot_facts.py lie. */
  readonly pluginDir: string;
  readonly profileHome: string;
  readonly profileName: string;
  readonly evalRunId: number;
  /** Used when neither provider nor host states a cost. */
  readonly prices: Prices;
  /** What providers, tools and the host say may repeat a key. */
  readonly scrub: Scrubber;
  /** Of the parent; only an allow-list of it reaches a trial. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /** Niceness of the trials' processes, 0 to 19; default: this process's. */
  readonly nice?: number;
  /** Default: this machine's. */
  readonly clocks?: Clocks;
  /** Without them, contained trials are refused. */
  readonly containers?: ContainerSettings;
}

/** What is made ready once, before the first trial. */
interface Prepared {
  readonly source: SlotSource;
  readonly template: SlotTemplate;
  readonly hold: SlotHold;
}

/** Runs trials in slots that are laid afresh; `host` starts Hermes in them. */
export function createTrialRunner(options: TrialRunnerOptions, host: HermesProcess): TrialRunner {
  const laidSlots = new Map<number, Laid>();
  let prepared: Promise<Prepared> | null = null;

  const prepare = async (signal: AbortSignal): Promise<Prepared> => {
    const { provider } = readSlotConfig(options.profileHome);
    const ask = { hermes: options.hermes, pluginDir: options.pluginDir, signal };
    const facts = await askHostFacts(provider, { ...ask, env: trialEnv(options.env, options.profileHome) });
    const source = slotSource(options, facts);
    const hold = orNotLaid(options.slotsDir, () => holdSlots(source));
    wipeSlots(source); // what a worker that was killed has left
    try {
      return { source, hold, template: slotTemplate(source) };
    } catch (error) {
      hold.release();
      throw notLaid(frozenDir(source), error);
    }
  };
  const lay = ({ source, template, hold }: Prepared, spec: TrialSpec): LaidSlot => {
    hold.assertHeld();
    const trial = slotTrial(spec);
    const { paths, keys, laid } = orNotLaid(slotPaths(source, spec.slot).root, () =>
      laySlot({ source, template }, spec.slot, { trial, laid: laidSlots.get(spec.slot) }),
    );
    laidSlots.set(spec.slot, laid);
    const env = { ...trialEnv(options.env, paths.home), ...keys, HOME: paths.userHome, TMPDIR: paths.temp };
    const { slot, policy } = spec;
    return { slot, paths, env, yolo: policy !== 'simulated', contained: policy === 'contained' };
  };

  return {
    get name() {
      return host.name;
    },
    get fellBack() {
      return host.fellBack;
    },
    async run(spec, signal) {
      prepared ??= prepare(signal).catch((error: unknown) => {
        prepared = null;
        throw options.scrub.error(error);
      });
      const ready = await prepared;
      let began = Date.now();
      let laid = lay(ready, spec);
      if (await host.prepare(laid, signal)) {
        began = Date.now();
        laid = lay(ready, spec);
      }
      const result = await runTrial(options, { host, laid, spec, signal, began });
      ready.hold.assertHeld();
      return result;
    },
    async close(outcome) {
      await host.close();
      const ready = await prepared?.catch(() => null);
      if (ready == null || !ready.hold.held()) return;
      wipeSlots(options);
      if (outcome === 'finished') rmSync(frozenDir(options), { recursive: true, force: true });
      ready.hold.release();
      laidSlots.clear();
      prepared = null;
    },
  };
}

function orNotLaid<T>(root: string, lay: () => T): T {
  try {
    return lay();
  } catch (error) {
    throw notLaid(root, error);
  }
}

/** A full disk or a directory that is read-only, by name; anything else as it is. */
function notLaid(path: string, error: unknown): unknown {
  const why = isKarpathyError(error) ? null : whyNotWritten(error);
  if (why === null) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new KarpathyError('io', `The slot ${path} cannot be laid: its directory ${why} (${message}).`, {
    cause: error,
    hint: 'Finished trials are kept. Free some space or make it writable, then run the command again.',
  });
}

function slotSource(options: TrialRunnerOptions, facts: HostFacts): SlotSource {
  const { slotsDir, pluginDir, profileHome, profileName, evalRunId, env } = options;
  return { slotsDir, pluginDir, profileHome, profileName, evalRunId, env, facts };
}

function slotTrial(spec: TrialSpec): SlotTrial {
  const { targetRelpath, targetContent, policy, realToolsets = [], tokenLimit } = spec;
  return { targetRelpath, targetContent, spec: spec.scenario.spec, policy, realToolsets, tokenLimit };
}

interface Work {
  readonly host: HermesProcess;
  readonly laid: LaidSlot;
  readonly spec: TrialSpec;
  readonly signal: AbortSignal;
  /** Time in ms since the epoch; the trial's limit counts from here. */
  readonly began: number;
}

async function runTrial(options: TrialRunnerOptions, work: Work): Promise<TrialResult> {
  const { spec, laid } = work;
  const { paths } = laid;
  const awake = new AbortController();
  const watch = watchSleep(() => awake.abort(), options.clocks);
  const { end, turnsDone } = await speakTurns(options, { ...work, awake: awake.signal }).finally(() => watch.stop());
  const durationMs = Date.now() - work.began;
  const { record, stored } = whatItLeft(options.scrub, paths);
  const waitedFor = end.timedOut ? record.unanswered : null;
  const judgement = judgeEnd({
    // Before anything is cut to a length, which could cut through a key.
    end: {
      ...end,
      stderrTail: options.scrub.text(end.stderrTail),
      agentLog: textOf(join(paths.home, 'logs', 'agent.log')),
    },
    record,
    stored,
    armText: spec.targetRelpath === 'SOUL.md' ? asHostReads(spec.targetContent) : '',
    turnsDone,
    providerGone: waitedFor !== null && !(await canBeReached(waitedFor.endpoint, options.env)),
  });
  const cost = costOf({ record, stored }, options.prices);
  const totalTokens = tokensOf(record, stored);
  // Whatever it came to: its limits, and those of its model calls, ran on while nothing else did.
  if (watch.slept()) {
    const reason = 'the machine slept during the trial';
    return { kind: 'infra', reason, stopRun: false, totalTokens, costUsd: cost.costUsd, durationMs };
  }
  if (judgement.kind === 'infra') return { ...judgement, totalTokens, costUsd: cost.costUsd, durationMs };
  const { limitReached } = judgement;
  return options.scrub.deep(evidence({ spec, paths, record, stored, limitReached, totalTokens, cost, durationMs }));
}

/** The system prompt stays as it is: it is compared with the text under test, and not kept. */
function whatItLeft(scrub: Scrubber, paths: SlotPaths): { record: GuardRecord; stored: StoredTrial | null } {
  const stored = readStateDb(paths.stateDb);
  return {
    record: scrub.deep(readGuardRecord(paths.record)),
    stored: stored === null ? null : { ...scrub.deep(stored), systemPrompt: stored.systemPrompt },
  };
}

/** One process per user turn, each of which goes on with the session of the one before. */
async function speakTurns(
  options: TrialRunnerOptions,
  { host, laid, spec, signal, began, awake }: Work & { awake: AbortSignal },
): Promise<{ end: ProcessEnd; turnsDone: boolean }> {
  const limits = { deadline: began + spec.timeoutMs, signal: AbortSignal.any([signal, awake]) };
  let end: ProcessEnd = { exitCode: null, timedOut: false, stderrTail: '', agentLog: '' };
  for (const [index, turn] of userTurns(spec.scenario.spec).entries()) {
    const session = index === 0 ? null : (readStateDb(laid.paths.stateDb)?.sessionId ?? null);
    end = await host.run(laid, chatArguments(options, spec, { turn, session }), limits);
    signal.throwIfAborted();
    if (end.exitCode !== 0 || awake.aborted) return { end, turnsDone: false };
  }
  return { end, turnsDone: true };
}

function chatArguments(
  options: TrialRunnerOptions,
  spec: TrialSpec,
  { turn, session }: { turn: string; session: string | null },
): string[] {
  const toolsets = spec.scenario.spec.toolsets;
  return [
    // HERMES_HOME alone is overridden by a sticky profile.
    ...['-p', options.profileName, 'chat', `--query=${turn}`, '-Q'],
    ...['--max-turns', String(spec.maxTurns), '--source', 'tool'],
    ...(toolsets === undefined ? [] : ['-t', toolsets.join(',')]),
    ...(session === null ? [] : ['--resume', session]),
    ...(spec.policy === 'simulated' ? [] : ['--yolo']),
  ];
}
