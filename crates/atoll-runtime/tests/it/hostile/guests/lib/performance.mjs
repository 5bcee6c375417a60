// `node:perf_hooks`, where it is provided.
export const performance = await import('node:perf_hooks').then((module) => module.performance, () => globalThis.performance);
