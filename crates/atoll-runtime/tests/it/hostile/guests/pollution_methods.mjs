// Replaces every method and accessor of the language and the platform while each API is used.
import { attackUses } from './lib/polluted.mjs';
import { planMethods } from './lib/poison.mjs';

export default attackUses((roots, spared) => planMethods(roots, spared));
