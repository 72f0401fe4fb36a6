/** A tool result that reports a failure: a non-zero exit code of the terminal, or an error in the answer. */
export function toolFailed(tool: string, content: string): boolean {
  const answer = jsonObject(content);
  if (tool === 'terminal') {
    const exitCode = answer?.exit_code;
    return exitCode !== undefined && exitCode !== null && exitCode !== 0;
  }
  if (answer !== null) return Boolean(answer.error) || answer.success === false;
  return content.startsWith('Error');
}

function jsonObject(text: string): Record<string, unknown> | null {
  if (!text.trimStart().startsWith('{')) return null;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return null;
  }
}
