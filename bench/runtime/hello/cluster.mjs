import cluster from 'node:cluster';
import { availableParallelism } from 'node:os';

// The same server as node.mjs, once per processor; the primary hands out the connections.
if (cluster.isPrimary) {
  for (let count = availableParallelism(); count > 0; count--) cluster.fork();
} else {
  await import('./node.mjs');
}
