import { toolsToConfirm, type ConfirmedTools } from '../services/scenarios.js';
import type { ScenarioEntry } from '../services/scenarioEntry.js';
import type { Session } from './command.js';

/**
 * Asks for every scenario whose tools would really run; a person confirms by typing the names of the toolsets. Where
 * nobody can be asked the service refuses, and says what had to be typed.
 */
export async function confirmTools(session: Session, entries: readonly ScenarioEntry[]): Promise<ConfirmedTools> {
  if (!session.canAsk) return {};
  const confirmed: Record<string, string[]> = {};
  for (const [name, tools] of Object.entries(toolsToConfirm(session.ctx, entries))) {
    session.show(
      `In trials of ${name} these tools really run on this machine, steered by the model: ${tools.join(' ')}`,
    );
    const typed = await session.ask.text('Type their names to confirm:');
    confirmed[name] = typed.split(/[\s,]+/).filter((word) => word !== '');
  }
  return confirmed;
}
