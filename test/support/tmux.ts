import { randomUUID } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { execa } from 'execa';

/** Why terminal tests can't run here; null when they can. Pass it to `it.skipIf` and print it. */
export function tmuxMissing(): string | null {
  const found = spawnSync('tmux', ['-V'], { encoding: 'utf8' });
  return found.status === 0 ? null : 'tmux is not installed: terminal tests are skipped (install tmux to run them)';
}

export interface TerminalOptions {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly columns?: number;
  readonly rows?: number;
}

/** A program in a real terminal, driven by keys. One tmux server of its own, so that nobody's session is touched. */
export interface Terminal {
  /** Types text as it is, without Enter. */
  type(text: string): Promise<void>;
  /** Presses keys by tmux's names: `Enter`, `C-c`, `Up`, `Escape`, ... */
  keys(...names: string[]): Promise<void>;
  /** Types a line and presses Enter, pressed apart so that a line editor with completion takes both. */
  line(text: string): Promise<void>;
  /** What is on the screen, with the scrolled-off part, lines right-trimmed; with its escape codes if `colours`. */
  capture(options?: { colours?: boolean }): Promise<string>;
  /** Waits until the screen matches; only what comes after the last `mark()` counts. @throws with the screen */
  waitFor(pattern: string | RegExp, options?: { timeoutMs?: number }): Promise<string>;
  /** Waits until the program has ended; its exit code. */
  exitCode(options?: { timeoutMs?: number }): Promise<number>;
  /** Later waits look only at what follows the lines that are on the screen now. */
  mark(): Promise<void>;
  close(): Promise<void>;
}

const EXIT = 'program-ended-with:';

export async function openTerminal(options: TerminalOptions): Promise<Terminal> {
  const socket = `karpathy-${process.pid}-${randomUUID().slice(0, 8)}`;
  const env = Object.fromEntries(Object.entries(options.env).filter(([, value]) => value !== undefined));
  const tmux = (...args: string[]) =>
    execa('tmux', ['-L', socket, '-f', '/dev/null', ...args], {
      env: { ...env, TERM: 'xterm-256color', LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' },
      extendEnv: false,
    });
  // The shell stays after the program, so that its last screen and exit code can be read; Ctrl-C is not for it.
  const script = `trap : INT QUIT; "$@"; printf '\\n${EXIT}%s\\n' "$?"; exec sleep 86400`;
  const size = ['-x', String(options.columns ?? 120), '-y', String(options.rows ?? 40)];
  await tmux(
    ...['set-option', '-g', 'history-limit', '20000', ';', 'new-session', '-d', '-s', 'main', ...size],
    ...['-c', options.cwd, 'sh', '-c', script, 'sh', ...options.command],
  );
  const capture: Terminal['capture'] = async ({ colours = false } = {}) => {
    const { stdout } = await tmux('capture-pane', '-p', ...(colours ? ['-e'] : []), '-J', '-S', '-', '-t', 'main');
    return stdout.replace(/[ \t]+$/gm, '');
  };
  let marked: readonly string[] = [];
  const sinceMark = (screen: string) => {
    const lines = screen.split('\n');
    const changed = lines.findIndex((line, index) => line !== marked[index]);
    return changed < 0 ? '' : lines.slice(changed).join('\n');
  };
  const waitFor: Terminal['waitFor'] = async (pattern, { timeoutMs = 60_000 } = {}) => {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const screen = sinceMark(await capture());
      if (typeof pattern === 'string' ? screen.includes(pattern) : pattern.test(screen)) return screen;
      if (Date.now() > deadline) {
        throw new Error(`"${String(pattern)}" did not appear within ${timeoutMs / 1000} s. The screen:\n${screen}`);
      }
      await new Promise((next) => setTimeout(next, 150));
    }
  };
  const type = async (text: string) => void (await tmux('send-keys', '-t', 'main', '-l', '--', text));
  const keys = async (...names: string[]) => void (await tmux('send-keys', '-t', 'main', ...names));
  return {
    type,
    keys,
    line: async (text) => {
      await type(text);
      await waitFor(text.trim().split('\n').at(-1)?.slice(-20) ?? '', { timeoutMs: 10_000 });
      await keys('Enter');
    },
    capture,
    waitFor,
    exitCode: async (wait) => {
      const screen = await waitFor(new RegExp(`^${EXIT}\\d+$`, 'm'), wait);
      return Number(new RegExp(`^${EXIT}(\\d+)$`, 'm').exec(screen)?.[1]);
    },
    mark: async () => {
      marked = (await capture()).split('\n');
    },
    close: async () => {
      await tmux('kill-server').catch(() => {});
    },
  };
}
