import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { HermesCommand, TrialResult, TrialRunner, TrialSpec } from '../ports.js';
import { userTurns } from '../schemas.js';
import { readGuardRecord } from './guardRecord.js';
import { textOf, type HermesProcess, type LaidSlot } from './hermesProcess.js';
import { askHostFacts, type HostFacts } from './hostFacts.js';
import { freezeProfile, frozenDir, laySlot, readSlotConfig, slotPaths, type SlotSource } from './slot.js';
import { readStateDb } from './stateDb.js';
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
  /** Of the parent; only an allow-list of it reaches a trial. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** Passed on to a trial; HOME, the slot's variables and the model's key are added. */
const ENV_ALLOWED = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TERM', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'];

/** Runs trials in slots that are laid afresh; `host` starts Hermes in them. */
export function createTrialRunner(options: TrialRunnerOptions, host: HermesProcess): TrialRunner {
  const used = new Set<number>();
  let prepared: Promise<SlotSource> | null = null;

  const prepare = async (signal: AbortSignal): Promise<SlotSource> => {
    const { provider } = readSlotConfig(options.profileHome);
    const ask = { hermes: options.hermes, pluginDir: options.pluginDir, signal };
    const facts = await askHostFacts(provider, { ...ask, env: baseEnv(options, options.profileHome) });
    const source = slotSource(options, facts);
    freezeProfile(source);
    return source;
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
        throw error;
      });
      const source = await prepared;
      used.add(spec.slot);
      let began = Date.now();
      let laid = lay(options, source, spec);
      if (await host.prepare(laid, signal)) {
        began = Date.now();
        laid = lay(options, source, spec);
      }
      return runTrial(options, { host, laid, spec, signal, began });
    },
    async close(outcome) {
      await host.close();
      for (const slot of used) rmSync(slotPaths(options, slot).root, { recursive: true, force: true, maxRetries: 3 });
      if (outcome === 'finished') rmSync(frozenDir(options), { recursive: true, force: true });
      used.clear();
    },
  };
}

function slotSource(options: TrialRunnerOptions, facts: HostFacts): SlotSource {
  const { slotsDir, pluginDir, profileHome, profileName, evalRunId, env } = options;
  return { slotsDir, pluginDir, profileHome, profileName, evalRunId, env, facts };
}

function lay(options: TrialRunnerOptions, source: SlotSource, spec: TrialSpec): LaidSlot {
  const { paths, keys } = laySlot(source, spec.slot, {
    targetRelpath: spec.targetRelpath,
    targetContent: spec.targetContent,
    spec: spec.scenario.spec,
    policy: spec.policy,
    realToolsets: spec.realToolsets ?? [],
    tokenLimit: spec.tokenLimit,
  });
  const env = { ...baseEnv(options, paths.home), ...keys, HOME: paths.userHome, TMPDIR: paths.temp };
  return { slot: spec.slot, paths, env, yolo: spec.policy === 'real' };
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
  const { end, turnsDone } = await speakTurns(options, work);
  const durationMs = Date.now() - work.began;
  const record = readGuardRecord(paths.record);
  const stored = readStateDb(paths.stateDb);
  const judgement = judgeEnd({
    end: { ...end, agentLog: textOf(join(paths.home, 'logs', 'agent.log')) },
    record,
    stored,
    armText: spec.targetRelpath === 'SOUL.md' ? asHostReads(spec.targetContent) : '',
    turnsDone,
  });
  const cost = costOf({ record, stored }, options.prices);
  const totalTokens = tokensOf(record, stored);
  if (judgement.kind === 'infra') return { ...judgement, totalTokens, costUsd: cost.costUsd, durationMs };
  return evidence({ spec, paths, record, stored, limitReached: judgement.limitReached, totalTokens, cost, durationMs });
}

/** One process per user turn, each of which goes on with the session of the one before. */
async function speakTurns(
  options: TrialRunnerOptions,
  { host, laid, spec, signal, began }: Work,
): Promise<{ end: ProcessEnd; turnsDone: boolean }> {
  const limits = { deadline: began + spec.timeoutMs, signal };
  let end: ProcessEnd = { exitCode: null, timedOut: false, stderrTail: '', agentLog: '' };
  for (const [index, turn] of userTurns(spec.scenario.spec).entries()) {
    const session = index === 0 ? null : (readStateDb(laid.paths.stateDb)?.sessionId ?? null);
    end = await host.run(laid, chatArguments(options, spec, { turn, session }), limits);
    signal.throwIfAborted();
    if (end.exitCode !== 0) return { end, turnsDone: false };
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
    ...(spec.policy === 'real' ? ['--yolo'] : []),
  ];
}

function baseEnv(options: TrialRunnerOptions, home: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of [...ENV_ALLOWED, ...PROXIES, ...PROXIES.map((name) => name.toLowerCase())]) {
    const value = options.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, HERMES_HOME: home, KARPATHY_TRIAL: '1', PYTHONDONTWRITEBYTECODE: '1', NO_COLOR: '1' };
}
