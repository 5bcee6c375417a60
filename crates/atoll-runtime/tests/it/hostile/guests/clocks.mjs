// Reads every clock there is as often as it can, and tells the finest step that it saw, in nanoseconds.
import fs from 'node:fs';
import process from 'node:process';
import { performance as nodePerformance } from './lib/performance.mjs';
import { serve } from './lib/serve.mjs';

const MS = 1_000_000;
const clocks = {
  'performance.now': () => performance.now() * MS,
  'performance.timeOrigin': () => performance.timeOrigin * MS,
  'performance of the module': () => nodePerformance.now() * MS,
  'Date.now': () => Date.now() * MS,
  'new Date': () => new Date().getTime() * MS,
  'Temporal.Now': () => (typeof Temporal === 'undefined' ? 0 : Number(Temporal.Now.instant().epochNanoseconds % 1_000_000_000_000n)),
  'process.hrtime': () => process.hrtime()[0] * 1000 * MS + process.hrtime()[1],
  'process.hrtime.bigint': () => Number(process.hrtime.bigint() % 1_000_000_000_000n),
  'process.uptime': () => process.uptime() * 1000 * MS,
  'event.timeStamp': () => new Event('x').timeStamp * MS,
  'performance.mark': () => performance.mark('x').startTime * MS,
  'file times': () => {
    fs.writeFileSync('/tmp/touched', 'x');
    return Number(fs.statSync('/tmp/touched', { bigint: true }).mtimeNs % 1_000_000_000_000n);
  },
  'birth times': () => {
    fs.rmSync('/tmp/born', { force: true });
    fs.writeFileSync('/tmp/born', 'x');
    return Number(fs.statSync('/tmp/born', { bigint: true }).birthtimeNs % 1_000_000_000_000n);
  },
  'change times': () => {
    fs.chmodSync('/tmp/touched', 0o600 + (changes++ % 2));
    return Number(fs.statSync('/tmp/touched', { bigint: true }).ctimeNs % 1_000_000_000_000n);
  },
};
let changes = 0;

export default serve(() => {
  const lines = [];
  for (const [name, read] of Object.entries(clocks)) {
    let finest = Infinity;
    let last = read();
    const until = Date.now() + 40;
    while (Date.now() < until) {
      const now = read();
      const step = Math.abs(Math.round(now - last));
      if (step !== 0) finest = Math.min(finest, step);
      last = now;
    }
    lines.push(`${name}=${finest === Infinity ? 'still' : finest}`);
  }
  return lines.join('\n');
});
