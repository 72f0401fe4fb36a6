import { parentPort } from 'node:worker_threads';
import { runTask, type Task } from './task.js';

parentPort?.on('message', (task: Task) => parentPort?.postMessage(runTask(task)));
