import * as z from 'zod';
import { importScenarios } from '#src/services/scenarios.js';
import { parseScenarioFile } from '#src/services/scenarioYaml.js';
import { command } from '../../command.js';
import { confirmTools } from '../../confirmTools.js';
import { readInput } from '../../files.js';
import { writeAnswer } from './report.js';

export const scenarioImportCommand = command({
  path: 'scenario import',
  group: 'Set up',
  summary: 'add and update scenarios from a YAML file, all or none',
  arguments: [{ name: '<file>', summary: 'a list under `scenarios:`; - reads standard input' }],
  examples: ['scenario import suite.yaml'],
  input: z.object({ file: z.string() }),
  async run(session, { file }) {
    const text = await readInput(session.io, file);
    const confirmedTools = await confirmTools(session, parseScenarioFile(text, file));
    return writeAnswer(importScenarios(session.ctx, text, { source: file, confirmedTools }));
  },
});
