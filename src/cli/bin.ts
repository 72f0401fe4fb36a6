#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openContext, silentLogger } from '../app.js';
import { defaultHermesHome, hermesRootOf, profileNameOf } from '../hermes/paths.js';
import type { Logger } from '../ports.js';
import { checkedOutput, errorOutput } from './checkedOutput.js';
import { runCli } from './run.js';

/** The same command line without Hermes in front: models by `base_url` only, trials by the Hermes on PATH. */

// This file is bundled into dist/, one level below the plugin's directory.
const pluginDir = dirname(dirname(fileURLToPath(import.meta.url)));
const { version } = JSON.parse(readFileSync(join(pluginDir, 'package.json'), 'utf8')) as { version: string };
const home = defaultHermesHome(process.env);
const root = hermesRootOf(home);

const write = (line: string) => void process.stderr.write(`${line}\n`);
const log: Logger = process.env.KARPATHY_DEBUG
  ? { debug: write, info: write, warn: write, error: write }
  : silentLogger;

process.exitCode = await runCli(process.argv.slice(2), {
  open: async (request) =>
    openContext({
      root,
      profileName: request.profile ?? profileNameOf(home),
      pluginDir,
      hermes: null,
      host: null,
      surface: {
        kind: request.surface,
        interactive: request.interactive,
        agentShell: Boolean(process.env.HERMES_SESSION_ID),
        platform: null,
      },
      actor: request.surface === 'cli' ? 'person@cli' : 'system',
      env: process.env,
      signal: request.signal,
      log,
      ...(request.onProgress === undefined ? {} : { onProgress: request.onProgress }),
      ...(request.withoutDatabase === true ? { withoutDatabase: true } : {}),
    }),
  stdout: checkedOutput(process.stdout),
  stderr: errorOutput(process.stderr),
  stdin: process.stdin,
  env: process.env,
  isTTY: {
    stdin: process.stdin.isTTY === true,
    stdout: process.stdout.isTTY === true,
    stderr: process.stderr.isTTY === true,
  },
  version,
  helpName: 'karpathy',
  cwd: process.cwd(),
});
