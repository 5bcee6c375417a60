import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The app's directory: `/app` in Atoll, the checkout when another runtime executes this file. */
const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Absolute path of a file that ships with the app. */
export function appFile(...parts: string[]): string {
  return join(ROOT, ...parts);
}
