// An error whose text pretends to be lines of the log.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const error = new Error('first\n2026-01-01 200 GET /forged\r\x1b[2J\x1b]0;title\x07\0\u2028forged');
  error.name = 'Name\nforged';
  error.stack = 'Stack\nforged \x1b[31m';
  error.code = 'CODE\nforged';
  throw error;
});
