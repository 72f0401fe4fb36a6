import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeScrubber } from '#src/domain/secrets.js';
import { findSecrets } from '#src/hermes/secrets.js';
import { createColdRunner } from '../../src/evaluation/coldRunner.js';
import { slotPaths, type SlotPaths } from '../../src/evaluation/slot.js';
import { createWarmRunner } from '../../src/evaluation/warmRunner.js';
import type { ContainerSettings } from '../../src/evaluation/container/containedProcess.js';
import type { Logger, TrialRunner, TrialSpec } from '../../src/ports.js';
import type { ScenarioSpec } from '../../src/schemas.js';
import { temporaryDirectory } from '../support/context.js';
import { currentInstall } from '../support/hermesInstall.js';

export const SOUL = 'You are Bee, a careful helper.\n\nAnswer in 40 words.\n';

export interface TrialBench {
  readonly runner: TrialRunner;
  readonly root: string;
  readonly home: string;
  readonly slotsDir: string;
  readonly slot: SlotPaths;
  /** Every connection, look-up, file opened for writing and program started by the host's Python processes. */
  readonly audit: () => readonly AuditEvent[];
  readonly spec: (part?: SpecPart) => TrialSpec;
}

export type SpecPart = Partial<Omit<TrialSpec, 'scenario'>> & { readonly spec?: Partial<ScenarioSpec> };

export interface AuditEvent {
  readonly event: string;
  readonly detail: string;
}

/** Python runs this before anything else; audit hooks see what the interpreter does, whatever the code above it is. */
const SITECUSTOMIZE = `
import os, sys
log = os.environ.get("TRIAL_AUDIT_LOG")
if log:
    fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    def note(event, detail):
        os.write(fd, (event + "\\t" + str(detail).replace("\\n", " ") + "\\n").encode("utf-8", "replace"))
    def hook(event, args):
        try:
            if event in ("socket.connect", "socket.sendto"):
                note(event, args[1])
            elif event == "socket.getaddrinfo":
                note(event, args[0])
            elif event == "open" and isinstance(args[0], (str, bytes)) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                note("write", os.path.realpath(os.fsdecode(args[0])))
            elif event in ("os.remove", "os.rmdir", "shutil.rmtree"):
                note("remove", os.path.realpath(os.fsdecode(args[0])))
        except Exception as error:
            note("audit.failed", event + " " + repr(error))
    sys.addaudithook(hook)
`;

export interface BenchOptions {
  readonly baseUrl: string;
  readonly model?: string;
  readonly config?: Record<string, unknown>;
  /** Content of the profile's .env. */
  readonly env?: string;
  readonly processEnv?: NodeJS.ProcessEnv;
  /** Default: cold. */
  readonly runner?: 'cold' | 'warm';
  readonly log?: Logger;
  readonly platform?: NodeJS.Platform;
  readonly containers?: ContainerSettings;
  /** A program with arguments that runs the rest of its arguments: what starts every Hermes. */
  readonly through?: readonly string[];
  /** Where host/ lies; default: this project. */
  readonly pluginDir?: string;
  /** Where profile and slots lie; default: a directory of its own. */
  readonly root?: string;
}

const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** A profile of its own and a runner on the real Hermes. */
export function trialBench(options: BenchOptions): TrialBench {
  const install = currentInstall();
  const root = options.root ?? temporaryDirectory('karpathy-trial-');
  const home = join(root, 'profiles', 'dev');
  mkdirSync(join(home, 'memories'), { recursive: true });
  writeFileSync(join(home, 'SOUL.md'), SOUL);
  const model = { provider: 'custom', default: options.model ?? 'sim', base_url: options.baseUrl, api_key: 'local' };
  writeFileSync(join(home, 'config.yaml'), stringify({ model, ...options.config }));
  if (options.env !== undefined) writeFileSync(join(home, '.env'), options.env);
  const auditDir = join(root, 'audit');
  mkdirSync(auditDir, { recursive: true });
  writeFileSync(join(auditDir, 'sitecustomize.py'), SITECUSTOMIZE);
  const auditLog = join(auditDir, 'log');
  writeFileSync(auditLog, '');
  const slotsDir = join(root, 'slots');
  const audited = [...(options.through ?? []), '/usr/bin/env', `PYTHONPATH=${auditDir}`, `TRIAL_AUDIT_LOG=${auditLog}`];
  // The warm runner starts the interpreter, the cold one the program.
  const python = join(auditDir, 'python');
  writeFileSync(python, `#!/bin/sh\nexec ${audited.join(' ')} ${install.python} "$@"\n`);
  chmodSync(python, 0o755);
  const common = {
    slotsDir,
    pluginDir: options.pluginDir ?? process.cwd(),
    profileHome: home,
    profileName: 'dev',
    evalRunId: 1,
    prices: {},
    scrub: makeScrubber(() => findSecrets({ homes: [home], env: { ...options.processEnv }, keyEnv: [] })),
    env: { ...process.env, ...options.processEnv },
    ...(options.containers && { containers: options.containers }),
  };
  const runner =
    (options.runner ?? 'cold') === 'cold'
      ? createColdRunner({
          ...common,
          hermes: { command: [...audited, install.hermes], python: install.python },
        })
      : createWarmRunner({
          ...common,
          // Nothing can be written to the audit's log from within a container.
          hermes: { command: [install.hermes], python: options.containers ? install.python : python },
          log: options.log ?? SILENT,
          platform: options.platform,
        });
  return {
    runner,
    root,
    home,
    slotsDir,
    slot: slotPaths({ slotsDir, profileHome: home, profileName: 'dev' }, 1),
    audit: () =>
      readFileSync(auditLog, 'utf8')
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => ({ event: line.split('\t')[0] ?? '', detail: line.split('\t')[1] ?? '' })),
    spec: ({ spec, ...part } = {}) => ({
      evalRunId: 1,
      scenario: {
        id: 1,
        name: 'scenario',
        split: 'train',
        group: 'scenario',
        spec: { input: spec?.turns === undefined ? 'Go.' : undefined, checks: [{ must_contain: 'x' }], ...spec },
      },
      arm: 'incumbent',
      epoch: 1,
      attempt: 1,
      targetContent: Buffer.from(SOUL),
      targetRelpath: 'SOUL.md',
      slot: 1,
      policy: 'simulated',
      maxTurns: 20,
      timeoutMs: 120_000,
      tokenLimit: null,
      ...part,
    }),
  };
}

/** Path and content hash of every file below a directory. */
export function treeOf(dir: string): ReadonlyMap<string, string> {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, createHash('sha256').update(readFileSync(path)).digest('hex')]),
  );
}
