import * as z from 'zod';
import { doctor } from '../../services/doctor.js';
import { findingsText } from '../../text/doctor.js';
import { command } from '../command.js';
import { flag } from '../inputs.js';

export const doctorCommand = command({
  path: 'doctor',
  group: 'Set up',
  summary: 'check installation, host, running processes, models and suite; each finding says what to do',
  options: [{ flags: '--skip-models', summary: 'do not call the models' }],
  examples: ['doctor', 'doctor --skip-models'],
  input: z.object({ skipModels: flag }),
  async run({ ctx }, { skipModels }) {
    const findings = await doctor(ctx, { skipModels });
    return {
      data: { findings },
      text: (look) => findingsText(look, findings),
      exitCode: findings.some((finding) => finding.level === 'error') ? 1 : 0,
    };
  },
});
