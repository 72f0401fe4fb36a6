import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import type { HermesCommand, ToolCallRecord, TrialEvidence, TrialResult, TrialRunner, TrialSpec } from '../ports.js';
import { userTurns } from '../schemas.js';
import { readGuardRecord, type GuardRecord } from './guardRecord.js';
import { askHostFacts, assertGuardLoads, type HostFacts } from './hostFacts.js';
import {
  freezeProfile,
  frozenDir,
  laySlot,
  readSlotConfig,
  slotPaths,
  type SlotPaths,
  type SlotSource,
} from './slot.js';
import { readStateDb, type StoredTrial } from './stateDb.js';
import { asHostReads, judgeEnd, type ProcessEnd } from './trialOutcome.js';

export interface ColdRunnerOptions {
  readonly hermes: HermesCommand;
  readonly slotsDir: string;
  /** Where host/slot_guard and host/slot_facts.py lie. */
  readonly pluginDir: string;
  readonly profileHome: string;
  readonly profileName: string;
  readonly evalRunId: number;
  /** USD per million tokens, by model name; used when neither provider nor host states a cost. */
  readonly prices: Readonly<Record<string, { readonly input: number; readonly output: number }>>;
  /** Of the parent; only an allow-list of it reaches a trial. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

/** Passed on to a trial; HOME, the slot's variables and the model's key are added. */
const ENV_ALLOWED = ['PATH', 'LANG', 'LC_ALL', 'LC_CTYPE', 'TZ', 'TERM', 'SSL_CERT_FILE', 'SSL_CERT_DIR'];
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'];
const KILL_GRACE_MS = 2000;

/** Starts one `hermes chat -q` per user turn of a trial, in a slot that is laid afresh. */
export function createColdRunner(options: ColdRunnerOptions): TrialRunner {
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

  const guarded = new Map<number, Promise<void>>();
  return {
    name: 'cold',
    async run(spec, signal) {
      prepared ??= prepare(signal).catch((error: unknown) => {
        prepared = null;
        throw error;
      });
      const source = await prepared;
      used.add(spec.slot);
      let loads = guarded.get(spec.slot);
      if (loads === undefined) {
        loads = proveGuard(options, { source, spec, signal });
        guarded.set(spec.slot, loads);
      }
      await loads;
      return runTrial(options, { source, spec, signal });
    },
    async close(outcome) {
      for (const slot of used) rmSync(slotPaths(options, slot).root, { recursive: true, force: true, maxRetries: 3 });
      if (outcome === 'finished') rmSync(frozenDir(options), { recursive: true, force: true });
      used.clear();
      guarded.clear();
    },
  };
}

interface Work {
  readonly source: SlotSource;
  readonly spec: TrialSpec;
  readonly signal: AbortSignal;
}

function slotSource(options: ColdRunnerOptions, facts: HostFacts): SlotSource {
  const { slotsDir, pluginDir, profileHome, profileName, evalRunId, env } = options;
  return { slotsDir, pluginDir, profileHome, profileName, evalRunId, env, facts };
}

function lay(work: Work): { paths: SlotPaths; keys: Record<string, string> } {
  const { spec } = work;
  return laySlot(work.source, spec.slot, {
    targetRelpath: spec.targetRelpath,
    targetContent: spec.targetContent,
    spec: spec.scenario.spec,
    policy: spec.policy,
    realToolsets: spec.realToolsets ?? [],
    tokenLimit: spec.tokenLimit,
  });
}

/** Once per slot: the slot as laid must load its guard, or nothing is run in it. */
async function proveGuard(options: ColdRunnerOptions, work: Work): Promise<void> {
  const { paths, keys } = lay(work);
  const env = { ...baseEnv(options, paths.home), ...keys, HOME: paths.userHome, TMPDIR: paths.temp };
  await assertGuardLoads({ hermes: options.hermes, pluginDir: options.pluginDir, env, signal: work.signal });
}

async function runTrial(options: ColdRunnerOptions, work: Work): Promise<TrialResult> {
  const began = Date.now();
  const { spec, signal } = work;
  const { paths, keys } = lay(work);
  const env = { ...baseEnv(options, paths.home), ...keys, HOME: paths.userHome, TMPDIR: paths.temp };
  const deadline = began + spec.timeoutMs;
  const turns = userTurns(spec.scenario.spec);
  let end: ProcessEnd = { exitCode: null, timedOut: false, stderrTail: '', agentLog: '' };
  let turnsDone = 0;
  for (const turn of turns) {
    const session = turnsDone === 0 ? null : (readStateDb(paths.stateDb)?.sessionId ?? null);
    const args = chatArguments(options, spec, { turn, session });
    end = await runHermes([...options.hermes.command, ...args], { env, cwd: paths.work, deadline, signal });
    signal.throwIfAborted();
    if (end.exitCode !== 0) break;
    turnsDone += 1;
  }
  const durationMs = Date.now() - began;
  const log = join(paths.home, 'logs', 'agent.log');
  const agentLog = existsSync(log) ? readFileSync(log, 'utf8') : '';
  const record = readGuardRecord(paths.record);
  const stored = readStateDb(paths.stateDb);
  const armText = asHostReads(spec.targetContent);
  const judgement = judgeEnd({
    end: { ...end, agentLog },
    record,
    stored,
    armText: spec.targetRelpath === 'SOUL.md' ? armText : '',
    turnsDone: turnsDone === turns.length,
  });
  const cost = costOf({ record, stored }, options);
  const totalTokens = tokensOf(record, stored);
  if (judgement.kind === 'infra') return { ...judgement, totalTokens, costUsd: cost.costUsd, durationMs };
  return evidence({ spec, paths, record, stored, limitReached: judgement.limitReached, totalTokens, cost, durationMs });
}

function chatArguments(
  options: ColdRunnerOptions,
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

function baseEnv(options: ColdRunnerOptions, home: string): Record<string, string> {
  const env: Record<string, string> = {};
  for (const name of [...ENV_ALLOWED, ...PROXIES, ...PROXIES.map((name) => name.toLowerCase())]) {
    const value = options.env[name];
    if (value !== undefined) env[name] = value;
  }
  return { ...env, HERMES_HOME: home, KARPATHY_TRIAL: '1', PYTHONDONTWRITEBYTECODE: '1', NO_COLOR: '1' };
}

/** Runs to the end, the deadline or an abort; then nothing of its process group is left. */
async function runHermes(
  command: readonly string[],
  options: { env: Record<string, string>; cwd: string; deadline: number; signal: AbortSignal },
): Promise<ProcessEnd> {
  const [file = '', ...args] = command;
  const child = execa(file, args, {
    env: options.env,
    extendEnv: false,
    cwd: options.cwd,
    stdin: 'ignore',
    detached: true,
    reject: false,
    maxBuffer: 10_000_000,
  });
  const pid = child.pid;
  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    killGroup(pid, 'SIGTERM');
    killer ??= setTimeout(() => killGroup(pid, 'SIGKILL'), KILL_GRACE_MS);
  };
  const timer = setTimeout(
    () => {
      timedOut = true;
      stop();
    },
    Math.max(0, options.deadline - Date.now()),
  );
  options.signal.addEventListener('abort', stop, { once: true });
  if (options.signal.aborted) stop();
  try {
    const result = await child;
    return {
      exitCode: result.exitCode ?? null,
      timedOut,
      stderrTail: `${result.stderr}`.slice(-2000) || result.shortMessage || '',
      agentLog: '',
    };
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    options.signal.removeEventListener('abort', stop);
    // Whatever the agent left running in the background goes with it.
    killGroup(pid, 'SIGKILL');
  }
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is gone.
  }
}

interface Cost {
  readonly costUsd: number | null;
  readonly costSource: TrialEvidence['costSource'];
}

interface Seen {
  readonly record: GuardRecord;
  readonly stored: StoredTrial | null;
}

/** The provider's own figure, else the host's, else the configured price, else unknown; never a guessed 0. */
function costOf({ record, stored }: Seen, options: ColdRunnerOptions): Cost {
  if (record.providerCostUsd !== null) return { costUsd: record.providerCostUsd, costSource: 'provider' };
  if (stored !== null && stored.costUsd !== null) return { costUsd: stored.costUsd, costSource: 'host' };
  const names = [record.model, stored?.model ?? null].filter((name) => name !== null);
  const price = names.map((name) => options.prices[name]).find((found) => found !== undefined);
  if (price === undefined || stored?.inputTokens == null) return { costUsd: null, costSource: null };
  const costUsd = (stored.inputTokens * price.input + (stored.outputTokens ?? 0) * price.output) / 1e6;
  return { costUsd, costSource: 'config' };
}

function tokensOf(record: GuardRecord, stored: StoredTrial | null): number | null {
  const inDb = stored?.inputTokens == null ? 0 : stored.inputTokens + (stored.outputTokens ?? 0);
  const most = Math.max(inDb, record.totalTokens);
  return most === 0 && record.modelCallsEnded > 0 ? null : most;
}

function evidence(seen: {
  spec: TrialSpec;
  paths: SlotPaths;
  record: GuardRecord;
  stored: StoredTrial | null;
  limitReached: TrialEvidence['limitReached'];
  totalTokens: number | null;
  cost: Cost;
  durationMs: number;
}): TrialEvidence {
  const { record, stored, paths } = seen;
  const toolCalls = withHandling(stored, record);
  return {
    kind: 'completed',
    response: stored?.response ?? '',
    toolCalls,
    questionsAsked: record.questions,
    files: readFiles(seen.spec, paths.work),
    sessionId: stored?.sessionId ?? '',
    model: record.model ?? stored?.model ?? null,
    apiCalls: stored?.apiCalls ?? record.modelCallsEnded,
    inputTokens: stored?.inputTokens ?? null,
    outputTokens: stored?.outputTokens ?? null,
    totalTokens: seen.totalTokens,
    ...seen.cost,
    limitReached: seen.limitReached,
    durationMs: seen.durationMs,
  };
}

/** A call that the guard never saw was refused by the host itself, for a name or arguments that don't exist. */
function withHandling(stored: StoredTrial | null, record: GuardRecord): ToolCallRecord[] {
  const seen = [...record.handled];
  return (stored?.toolCalls ?? []).map(({ id, name, arguments: args, result }) => {
    const at = seen.findIndex((call) => call.id === id);
    const handling = at < 0 ? 'unknown' : (seen.splice(at, 1)[0]?.handling ?? 'unknown');
    return { name, arguments: args, result, handling };
  });
}

function readFiles(spec: TrialSpec, work: string): ReadonlyMap<string, string | null> {
  const named = spec.scenario.spec.checks.flatMap((check) => (check.file_equals ? [check.file_equals.path] : []));
  return new Map(
    named.map((path) => {
      try {
        return [path, readFileSync(join(work, path), 'utf8')];
      } catch {
        return [path, null];
      }
    }),
  );
}
