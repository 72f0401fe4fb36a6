import { execaSync } from 'execa';

/** A process that looks like a Hermes of this user. A hint for a person, never a proof of anything. */
export interface SeenProcess {
  readonly pid: number;
  /** How long it has been running. */
  readonly ageMs: number;
  readonly command: string;
}

/** Asks `ps`; an empty list where there is none, or where containers hide one another's processes. */
export function runningHermes(): SeenProcess[] {
  const result = execaSync('ps', ['-xo', 'pid=,etime=,args='], { reject: false, timeout: 5000, stdin: 'ignore' });
  return parseProcessList(result.stdout ?? '');
}

/** Lines `PID [[DD-]HH:]MM:SS COMMAND`; ours and the trials' are left out. */
export function parseProcessList(text: string): SeenProcess[] {
  return text.split('\n').flatMap((line) => {
    const [, pid = '', elapsed = '', command = ''] = /^\s*(\d+)\s+([\d:-]+)\s+(.+)$/.exec(line) ?? [];
    const isHermes = /(^|\s)(\S*\/)?hermes(\s|$)|hermes_cli\.main/.test(command.slice(0, 400));
    const isOurs = /karpathy|--source tool/.test(command) || Number(pid) === process.pid;
    return isHermes && !isOurs && /python|^\S*hermes/.test(command)
      ? [{ pid: Number(pid), ageMs: elapsedMs(elapsed), command: command.slice(0, 120) }]
      : [];
  });
}

function elapsedMs(text: string): number {
  const [days, clock] = text.includes('-') ? text.split('-', 2) : ['0', text];
  const seconds = (clock ?? '').split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
  return (Number(days) * 86_400 + seconds) * 1000;
}
