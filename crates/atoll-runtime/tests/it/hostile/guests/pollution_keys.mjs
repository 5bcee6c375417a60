// Puts accessors on Object.prototype and Array.prototype while each API is used.
import { attackUses } from './lib/polluted.mjs';
import { planKeys } from './lib/poison.mjs';

export default attackUses(() => planKeys());
