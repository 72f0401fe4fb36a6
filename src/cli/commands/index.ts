import type { CommandSpec } from '../command.js';

/**
 * Every command of the program, in the order of the help, by its first word. They are loaded one by one: what a
 * command does not need costs it no start-up time.
 */
const LOADERS: Readonly<Record<string, () => Promise<CommandSpec[]>>> = {
  init: async () => [(await import('./init.js')).initCommand],
  bootstrap: async () => [(await import('./bootstrap.js')).bootstrapCommand],
  doctor: async () => [(await import('./doctor.js')).doctorCommand],
  config: async () => [(await import('./config.js')).configCommand],
  scenario: async () => [
    (await import('./scenario/add.js')).scenarioAddCommand,
    (await import('./scenario/list.js')).scenarioListCommand,
    (await import('./scenario/show.js')).scenarioShowCommand,
    (await import('./scenario/edit.js')).scenarioEditCommand,
    (await import('./scenario/rm.js')).scenarioRmCommand,
    (await import('./scenario/import.js')).scenarioImportCommand,
    (await import('./scenario/export.js')).scenarioExportCommand,
  ],
  preflight: async () => [(await import('./preflight.js')).preflightCommand],
  propose: async () => [(await import('./propose.js')).proposeCommand],
  evaluate: async () => [(await import('./evaluate.js')).evaluateCommand],
  calibrate: async () => [(await import('./calibrate.js')).calibrateCommand],
  verify: async () => [(await import('./verify.js')).verifyCommand],
  status: async () => [(await import('./status.js')).statusCommand],
  show: async () => [(await import('./show.js')).showCommand],
  diff: async () => [(await import('./diff.js')).diffCommand],
  history: async () => [(await import('./history.js')).historyCommand],
  sentences: async () => [(await import('./sentences.js')).sentencesCommand],
  baselines: async () => [(await import('./baselines.js')).baselinesCommand],
  'error-budget': async () => [
    (await import('./errorBudget/show.js')).errorBudgetShowCommand,
    (await import('./errorBudget/renew.js')).errorBudgetRenewCommand,
  ],
  metrics: async () => [(await import('./metrics.js')).metricsCommand],
  snapshot: async () => [(await import('./snapshot.js')).snapshotCommand],
  approve: async () => [(await import('./approve.js')).approveCommand],
  apply: async () => [(await import('./apply.js')).applyCommand],
  reject: async () => [(await import('./reject.js')).rejectCommand],
  revert: async () => [(await import('./revert.js')).revertCommand],
  finish: async () => [(await import('./finish.js')).finishCommand],
  resolve: async () => [(await import('./resolve.js')).resolveCommand],
  pause: async () => [(await import('./pause.js')).pauseCommand],
  resume: async () => [(await import('./resume.js')).resumeCommand],
  run: async () => [(await import('./run.js')).runCommand],
  work: async () => [(await import('./work.js')).workCommand],
  tick: async () => [(await import('./tick.js')).tickCommand],
  backup: async () => [(await import('./backup.js')).backupCommand],
  restore: async () => [(await import('./restore.js')).restoreCommand],
  relocate: async () => [(await import('./relocate.js')).relocateCommand],
  uninstall: async () => [(await import('./uninstall.js')).uninstallCommand],
  collect: async () => [(await import('./collect.js')).collectCommand],
  jobs: async () => [
    (await import('./jobs/list.js')).jobsListCommand,
    (await import('./jobs/cancel.js')).jobsCancelCommand,
  ],
};

export async function allCommands(): Promise<CommandSpec[]> {
  return (await Promise.all(Object.values(LOADERS).map((load) => load()))).flat();
}

/** The commands that a command line can mean: those of its first word, or all when there is none such. */
export async function commandsFor(argv: readonly string[]): Promise<CommandSpec[]> {
  const first = argv.find((word, index) => !word.startsWith('-') && argv[index - 1] !== '--profile');
  const load = first !== undefined && Object.hasOwn(LOADERS, first) ? LOADERS[first] : undefined;
  return load === undefined ? allCommands() : load();
}
