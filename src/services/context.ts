import type { ConfigWithSources } from '../config.js';
import type { Actor } from '../domain/experiment.js';
import type { Scrubber } from '../domain/secrets.js';
import type { Paths, ProfileHome } from '../hermes/paths.js';
import type {
  Clock,
  HermesCommand,
  HostServices,
  Ids,
  LanguageModel,
  Logger,
  ProgressListener,
  PromptCheck,
  TrialRunner,
} from '../ports.js';
import type { Container } from '../evaluation/container/container.js';
import type { ModelChoice } from '../schemas.js';
import type { Db } from '../store/database.js';

/** Who is at the other end, which decides what they may do without being asked again. */
export interface Surface {
  readonly kind: 'cli' | 'slash' | 'http' | 'tick' | 'work' | 'library';
  /** A person can answer a question here. */
  readonly interactive: boolean;
  /** The command came from the shell of a Hermes agent (`HERMES_SESSION_ID` is set). */
  readonly agentShell: boolean;
  /** Messaging platform of a gateway, when the surface is one; null in a local chat. */
  readonly platform: string | null;
}

/** What the runner of an eval run needs to know about the run. */
export interface RunnerSetup {
  readonly evalRunId: number;
  readonly profileHome: string;
  readonly profileName: string;
}

/** Everything a use case may touch. One per command; closed by whoever opened it. */
export interface Context {
  readonly db: Db;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly paths: Paths;
  readonly pluginDir: string;
  readonly profile: ProfileHome;
  readonly config: ConfigWithSources;
  readonly surface: Surface;
  /** Recorded with every decision: `person@cli`, `person@slash`, ... */
  readonly actor: Actor;
  /** The Hermes executable; null when none was found (then nothing can be evaluated). */
  readonly hermes: HermesCommand | null;
  readonly host: HostServices | null;
  readonly makeModel: (choice: ModelChoice) => LanguageModel;
  readonly makeRunner: (setup: RunnerSetup) => TrialRunner | Promise<TrialRunner>;
  /** Whether tools can really run in a container here, with the profile's model; if not, why. */
  readonly findContainer: () => Promise<Container>;
  /** For text of others that does not come through models and trials: those are scrubbed already. */
  readonly scrub: Scrubber;
  readonly checkPrompt: (text: string) => Promise<PromptCheck>;
  readonly signal: AbortSignal;
  readonly onProgress: ProgressListener;
}
