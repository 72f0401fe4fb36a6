export const projectDir: string;
export interface HermesPaths {
  /** The interpreter that can import Hermes. */
  readonly python: string;
  /** The `hermes` executable. */
  readonly hermes: string;
  readonly version: string;
}
export function say(line: string): void;
export function timed<T>(label: string, work: () => Promise<T>): Promise<T>;
export function npmEnv(): NodeJS.ProcessEnv;
export function checkNode(): void;
export function ensureDependencies(): Promise<void>;
export function ensureBuild(): Promise<void>;
export function ensureHermes(): Promise<HermesPaths>;
export function ensureBubblewrap(): Promise<void>;
export function bootstrap(): Promise<HermesPaths>;
