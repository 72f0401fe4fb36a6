import type { CommandSpec } from '../command.js';
import { applyCommand } from './apply.js';
import { approveCommand } from './approve.js';
import { baselinesCommand } from './baselines.js';
import { bootstrapCommand } from './bootstrap.js';
import { collectCommand } from './collect.js';
import { configCommand } from './config.js';
import { diffCommand } from './diff.js';
import { doctorCommand } from './doctor.js';
import { evaluateCommand } from './evaluate.js';
import { finishCommand } from './finish.js';
import { historyCommand } from './history.js';
import { initCommand } from './init.js';
import { jobsCancelCommand } from './jobs/cancel.js';
import { jobsListCommand } from './jobs/list.js';
import { metricsCommand } from './metrics.js';
import { pauseCommand } from './pause.js';
import { proposeCommand } from './propose.js';
import { rejectCommand } from './reject.js';
import { resolveCommand } from './resolve.js';
import { resumeCommand } from './resume.js';
import { revertCommand } from './revert.js';
import { runCommand } from './run.js';
import { scenarioAddCommand } from './scenario/add.js';
import { scenarioEditCommand } from './scenario/edit.js';
import { scenarioExportCommand } from './scenario/export.js';
import { scenarioImportCommand } from './scenario/import.js';
import { scenarioListCommand } from './scenario/list.js';
import { scenarioRmCommand } from './scenario/rm.js';
import { scenarioShowCommand } from './scenario/show.js';
import { sentencesCommand } from './sentences.js';
import { showCommand } from './show.js';
import { snapshotCommand } from './snapshot.js';
import { statusCommand } from './status.js';
import { tickCommand } from './tick.js';
import { verifyCommand } from './verify.js';
import { workCommand } from './work.js';

/** Every command of the program, in the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  initCommand,
  bootstrapCommand,
  doctorCommand,
  configCommand,
  scenarioAddCommand,
  scenarioListCommand,
  scenarioShowCommand,
  scenarioEditCommand,
  scenarioRmCommand,
  scenarioImportCommand,
  scenarioExportCommand,
  proposeCommand,
  evaluateCommand,
  verifyCommand,
  statusCommand,
  showCommand,
  diffCommand,
  historyCommand,
  sentencesCommand,
  baselinesCommand,
  metricsCommand,
  snapshotCommand,
  approveCommand,
  applyCommand,
  rejectCommand,
  revertCommand,
  finishCommand,
  resolveCommand,
  pauseCommand,
  resumeCommand,
  runCommand,
  workCommand,
  tickCommand,
  collectCommand,
  jobsListCommand,
  jobsCancelCommand,
];
