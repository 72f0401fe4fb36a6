import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Results } from './results.js';
import type { Task, TaskResult } from './task.js';

/** Runs the tasks on all cores. @throws what a worker threw */
export async function runAll(tasks: readonly Task[], onDone: (done: number) => void): Promise<Results> {
  const results = new Results();
  const open = [...tasks];
  let done = 0;
  const work = async (): Promise<void> => {
    const worker = new Worker(new URL('./worker.mjs', import.meta.url));
    try {
      for (let task = open.shift(); task !== undefined; task = open.shift()) {
        results.add(await ask(worker, task));
        done += 1;
        onDone(done);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  return results;
}

function ask(worker: Worker, task: Task): Promise<TaskResult> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (result: TaskResult) => {
      worker.off('error', reject);
      resolve(result);
    });
    worker.postMessage(task);
  });
}
