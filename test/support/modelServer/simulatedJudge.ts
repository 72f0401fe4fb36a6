import { textOf, type ChatRequest, type Responder } from './protocol.js';

export interface JudgeMaterial {
  readonly rubric: string;
  readonly answer: string;
}

export interface JudgeOptions {
  readonly grade?: (material: JudgeMaterial) => boolean;
  /** Passes everything, known-bad answers included, as a judge that must not be trusted does. */
  readonly gullible?: boolean;
}

/** The judge: a strict JSON verdict with a rationale. */
export function simulatedJudge(options: JudgeOptions = {}): Responder {
  return (request) => {
    const pass = options.gullible === true || (options.grade ?? gradeBySigns)(materialOf(request));
    const rationale = pass ? 'The answer does what the rubric asks for.' : 'The answer lacks what the rubric asks for.';
    return { kind: 'message', text: JSON.stringify({ rationale, pass }) };
  };
}

/**
 * Grades by the signs of the simulated agent's behaviours, or by a phrase that the rubric quotes. What it does not
 * understand it fails, as the judge's instructions demand; so known-bad answers fail.
 */
export function gradeBySigns({ rubric, answer }: JudgeMaterial): boolean {
  const quoted = /"([^"]+)"/.exec(rubric)?.[1];
  if (quoted !== undefined) return answer.includes(quoted);
  if (/summary|in short/i.test(rubric)) return /^In short: \S/m.test(answer);
  if (/\bunits?\b/i.test(rubric)) return /\d\s?kg\b/.test(answer);
  if (/\bask(s|ed)?\b/i.test(rubric)) return answer.includes('?');
  return false;
}

/** The sections of the judge's prompt. */
function materialOf(request: ChatRequest): JudgeMaterial {
  const prompt = textOf(request.messages.findLast((message) => message.role === 'user'));
  const section = (title: string) =>
    new RegExp(`^=+ ${title} =+\\n([\\s\\S]*?)\\n?^=+ END OF ${title} =+$`, 'm').exec(prompt)?.[1] ?? '';
  return { rubric: section('RUBRIC'), answer: section('ANSWER') };
}
