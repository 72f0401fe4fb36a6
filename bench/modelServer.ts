import { say, startModelServer } from '../test/support/modelServer/index.js';

/** A model of its own process, so that its work is not counted: prints its address, ends with its parent's pipe. */
const latencyMs = Number(process.argv[2] ?? 0);
const server = await startModelServer({ models: { '*': () => say('Hello.') }, latencyMs });
process.stdout.write(`${server.baseUrl}\n`);
process.stdin.resume().on('end', () => process.exit(0));
