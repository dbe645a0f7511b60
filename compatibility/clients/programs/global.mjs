// With the runtime's own WebSocket: node global.mjs ws://127.0.0.1:8000 (also bun, deno).
import process from 'node:process';
import { converse } from './standard.mjs';

await converse(WebSocket, process.argv[2], (step, seen) => console.log(JSON.stringify({ step, ...seen })));
process.exit();
