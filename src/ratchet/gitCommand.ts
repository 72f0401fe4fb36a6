import { GitError, simpleGit } from 'simple-git';

/** A git command that ended with an exit code its caller did not list. */
export class GitCommandError extends GitError {
  override readonly name = 'GitCommandError';

  constructor(
    message: string,
    readonly exitCode: number,
    readonly stdout: string,
    readonly stderr: string,
  ) {
    super(undefined, message);
  }
}

export interface GitResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** The one door to git. */
export interface Git {
  /** What it was opened with. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  /**
   * Runs git in the directory it was opened for. Exit code 0 and those of `accept` are results.
   * @throws GitCommandError on any other exit code, a signal, or when git is not there
   */
  run(args: readonly string[], options?: { readonly accept?: readonly number[] }): Promise<GitResult>;
}

/** Silence for that long ends a git command: a hook or a signing prompt that waits for a terminal. */
const SILENCE_MS = 120_000;

/** Besides GIT_*, what simple-git refuses to hand on. */
const GUARDED = /^(git_.*|editor|pager|prefix|ssh_askpass|visual)$/i;

/** A leaked GIT_DIR or GIT_INDEX_FILE (from a hook that started Hermes) would redirect every command. */
function cleaned(env: Readonly<NodeJS.ProcessEnv>): Record<string, string> {
  const kept = Object.entries(env).filter(([key, value]) => value !== undefined && !GUARDED.test(key));
  // Messages are matched, so they must not be translated.
  return { ...Object.fromEntries(kept), LC_ALL: 'C' };
}

/** `silenceMs`: a command that prints nothing for that long is ended. */
export function openGit(
  directory: string,
  env: Readonly<NodeJS.ProcessEnv>,
  options: { readonly silenceMs?: number } = {},
): Git {
  const silenceMs = options.silenceMs ?? SILENCE_MS;
  const git = simpleGit({
    baseDir: directory,
    maxConcurrentProcesses: 1,
    trimmed: false,
    timeout: { block: silenceMs },
    // Our arguments are our own. The alternative sets a variable in git's environment that breaks people's hooks.
    unsafe: { allowAbbreviatedOptions: true },
    // By default a command that fails quietly counts as a success.
    errors(error, result) {
      if (error === undefined && result.exitCode === 0) return undefined;
      const stdout = Buffer.concat(result.stdOut).toString();
      const stderr = Buffer.concat(result.stdErr).toString();
      const said = error instanceof Error ? error.message : stderr.trim();
      const silent = said.includes('block timeout reached');
      const text = silent ? `git said nothing for ${silenceMs / 1000} s and was ended` : said;
      return new GitCommandError(
        text || `git ended with exit code ${result.exitCode}`,
        result.exitCode,
        stdout,
        stderr,
      );
    },
  }).env(cleaned(env));
  return {
    env,
    async run(args, options = {}) {
      try {
        return { stdout: await git.raw([...args]), stderr: '', exitCode: 0 };
      } catch (error) {
        if (!(error instanceof GitCommandError) || options.accept?.includes(error.exitCode) !== true) throw error;
        return { stdout: error.stdout, stderr: error.stderr, exitCode: error.exitCode };
      }
    },
  };
}
