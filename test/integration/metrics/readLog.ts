import { readAgentLog } from '#src/metrics/logFiles.js';

/** Reads the log of a home in a process of its own and prints what it counted, and by how many bytes its peak grew. */
const home = process.argv[2] ?? '';
const before = process.resourceUsage().maxRSS;
const { counts } = readAgentLog(home, []);
console.log(JSON.stringify({ counts: [...counts], grownKb: process.resourceUsage().maxRSS - before }));
