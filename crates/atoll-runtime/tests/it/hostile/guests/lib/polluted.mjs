// Runs each use of an API twice, once in peace and once under a plan of poison, and says where the answers differ.
import { serve } from './serve.mjs';
import { dump, isInternal, load, own, poisoned } from './poison.mjs';

async function outcomeOf(use, after, outcome) {
  if (outcome === undefined) {
    try {
      outcome = { value: await use(), settled: true };
    } catch (error) {
      outcome = { error: { error }, settled: true };
    }
  }
  if (!outcome.settled) return 'never settles';
  if (outcome.error !== undefined) {
    const { error } = outcome.error;
    if (error === own) return 'own error';
    return `throws ${dump(after && error instanceof Error ? await after(error) : error)}`;
  }
  return dump(after ? await after(outcome.value) : outcome.value);
}

/** `plan(roots, spared)` is made once all of the platform is loaded. */
export function attackUses(plan) {
  return serve(async () => {
    const roots = await load();
    const { uses } = await import('./uses.mjs');
    const spared = new Set([Error.prototype.constructor]);
    const poison = plan(roots, spared);
    const complaints = [];
    for (const name of Object.keys(uses)) {
      const { use, after, throwsOwn } = uses[name];
      const expected = await outcomeOf(use, after);
      const met = await poisoned(poison, use);
      let actual;
      try {
        actual = await outcomeOf(use, after, met);
      } catch (error) {
        actual = `can't be compared: ${error}`;
      }
      const right = actual === expected || (throwsOwn === true && actual === 'own error');
      if (!right) complaints.push(`${name}: ${actual.slice(0, 200)}, not ${expected.slice(0, 200)} (met ${met.touched.slice(0, 8)})`);
      if (met.leaked.length > 0) complaints.push(`${name}: internals were seen: ${met.leaked}`);
    }
    if (isInternal(globalThis)) complaints.push('the global object is internal');
    return complaints.length === 0 ? `right: ${poison.length > 50} ${Object.keys(uses).length}` : complaints.join('\n');
  });
}
