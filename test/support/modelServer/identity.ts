/**
 * What the host puts after SOUL.md in a system prompt: its own guidance, tool sections, machine and date. The
 * first of them ends the identity, so that paths and dates further down do not change what is drawn.
 */
const HOST_SECTIONS = [
  /^You run on Hermes Agent\b/m,
  /^# Finishing the job$/m,
  /^# Parallel tool calls$/m,
  /^# Tool-use enforcement\b/im,
  /^#+ Skills\b/m,
  /^#+ (Persistent )?[Mm]emory\b/m,
  /^(MEMORY|USER PROFILE)\b/m,
  /^You have persistent memory across sessions\b/m,
  /^# Project Context$/m,
  /^## Mid-turn user steering$/m,
  /^Host: /m,
  /^Active Hermes profile: /m,
  /^You are a CLI AI Agent\b/m,
  /^Conversation started: /m,
];

/** The part of a system prompt that is the profile's SOUL.md, trimmed. A prompt of another program stays whole. */
export function identityOf(systemPrompt: string): string {
  const ends = HOST_SECTIONS.map((section) => systemPrompt.search(section)).filter((at) => at >= 0);
  return systemPrompt.slice(0, Math.min(systemPrompt.length, ...ends)).trim();
}
