import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { projectDir } from '../scripts/bootstrap.mjs';

/** What one command of the built program took, as a process of its own. */
export interface Peak {
  /** The most memory it ever held, its code included. */
  readonly megabytes: number;
  readonly seconds: number;
}

/**
 * The kernel's own high-water mark: `maxRSS` would count the process that started this one as well. Where there is no
 * such file, `maxRSS` has to do.
 */
const REPORT = `
import { readFileSync } from 'node:fs';
process.on('exit', () => {
  let kilobytes = process.resourceUsage().maxRSS;
  try {
    kilobytes = Number(/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/' + process.pid + '/status', 'utf8'))[1]);
  } catch {}
  process._rawDebug('peak ' + kilobytes);
});`;

/** Runs `karpathy ARGS` of dist/ for the default profile of a root, whatever it answers; null without a build. */
export async function peakOf(root: string, args: readonly string[]): Promise<Peak | null> {
  const program = join(projectDir, 'dist', 'cli.mjs');
  if (!existsSync(program)) return null;
  const began = performance.now();
  const { stderr } = await execa(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(REPORT)}`, program, ...args],
    { env: { HERMES_HOME: root }, cwd: root, reject: false, stdout: 'ignore', stdin: 'ignore' },
  );
  const kilobytes = /peak (\d+)/.exec(stderr)?.[1];
  if (kilobytes === undefined) throw new Error(`karpathy ${args.join(' ')}: ${stderr}`);
  return { megabytes: (Number(kilobytes) * 1024) / 1_000_000, seconds: (performance.now() - began) / 1000 };
}
