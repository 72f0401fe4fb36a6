import type { TestProject } from 'vitest/node';
import { createHermesInstall, INSTALL_VARIABLE, removeInstall, type HermesInstall } from '../support/hermesInstall.js';

declare module 'vitest' {
  export interface ProvidedContext {
    hermesInstall: HermesInstall;
  }
}

/** One real Hermes and one real install of the plugin for the whole run. */
export default async function setup(project: TestProject): Promise<() => void> {
  const install = await createHermesInstall();
  project.provide('hermesInstall', install);
  process.env[INSTALL_VARIABLE] = JSON.stringify(install);
  return () => {
    if (process.env.KARPATHY_KEEP_INSTALL) console.log(`The test install stays at ${install.dir}`);
    else removeInstall(install);
  };
}
