import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Running {
  readonly pid: number;
  readonly command: string;
}

/** Processes with a home below the directory, whatever became of their parents. */
export function processesIn(root: string): Running[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const environment = readFileSync(join('/proc', name, 'environ'), 'utf8');
      if (!environment.includes(`=${root}/`)) return [];
      const command = readFileSync(join('/proc', name, 'cmdline'), 'utf8').replaceAll('\0', ' ');
      return command === '' ? [] : [{ pid: Number(name), command }];
    } catch {
      return [];
    }
  });
}
