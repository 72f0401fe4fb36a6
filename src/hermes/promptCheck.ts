import { join } from 'node:path';
import * as z from 'zod';
import { KarpathyError } from '../errors.js';
import type { HermesCommand, PromptCheck } from '../ports.js';

export interface PromptCheckOptions {
  readonly hermes: HermesCommand;
  /** Where host/prompt_check.py lies. */
  readonly pluginDir: string;
  /** The profile's home: its config.yaml may set the limit. Default: HERMES_HOME of `env`. */
  readonly home?: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

const answerSchema = z.object({
  blocked: z.boolean(),
  truncated: z.boolean(),
  limit_chars: z.int().positive(),
  findings: z.array(z.string()),
});

/**
 * Asks the installed Hermes, by its own functions, what it would do with a text as the profile's SOUL.md. When it
 * can't be asked the text is refused: a blocked SOUL.md leaves the agent without any instructions.
 * @throws KarpathyError `host_failed`
 */
export function createPromptCheck(options: PromptCheckOptions): (text: string) => Promise<PromptCheck> {
  const home = options.home ?? options.env.HERMES_HOME;
  const env = {
    PATH: options.env.PATH ?? '',
    HOME: options.env.HOME ?? '',
    ...(home === undefined ? {} : { HERMES_HOME: home }),
  };
  return async (text) => {
    const { execa } = await import('execa');
    const result = await execa(options.hermes.python, ['-P', join(options.pluginDir, 'host', 'prompt_check.py')], {
      input: text,
      env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
      extendEnv: false,
      timeout: 30_000,
      reject: false,
    });
    if (result.exitCode !== 0) throw unasked(result.stderr.trim().split('\n').at(-1) || result.shortMessage || '');
    const answer = parseAnswer(result.stdout);
    if (answer === null) throw unasked('its answer could not be read');
    const { blocked, truncated, limit_chars: limitChars, findings } = answer;
    return { blocked, truncated, limitChars, findings };
  };
}

function parseAnswer(stdout: string): z.infer<typeof answerSchema> | null {
  try {
    const parsed = answerSchema.safeParse(JSON.parse(stdout));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

function unasked(why: string): KarpathyError {
  return new KarpathyError(
    'host_failed',
    `Hermes could not be asked whether it would load this text as SOUL.md: ${why}.`,
    { hint: 'Nothing was changed. `karpathy doctor` checks the installation.' },
  );
}
