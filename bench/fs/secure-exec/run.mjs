// Runs a script of the directory named first in secure-exec, with that directory mounted, and prints what it prints.
import { executeFile, hostDirMount, shutdown } from 'secure-exec';

const [directory, script] = process.argv.slice(2);
const result = await executeFile(`/bench/${script}`, {
  mounts: [hostDirMount('/bench', directory, { readOnly: false })],
  output: { capture: 'all' },
  timeoutMs: 600_000,
});
if (result.outcome !== 'succeeded') {
  process.stderr.write(`${result.outcome}: ${result.stderr ?? ''}${JSON.stringify(result.error ?? null)}\n`);
  process.exitCode = 1;
}
process.stdout.write(result.stdout ?? '');
await shutdown();
