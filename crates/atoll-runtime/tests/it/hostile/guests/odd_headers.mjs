// Headers with every byte there is, and beyond.
import { serve } from './lib/serve.mjs';

export default serve(() => {
  const accepted = [];
  for (let code = 0; code < 300; code++) { try { const response = new Response('x', { headers: { 'x-odd': `a${String.fromCharCode(code)}b` } }); accepted.push(response.headers.get('x-odd').length); } catch (error) { if (!(error instanceof TypeError)) throw error; } try { new Headers([[`a${String.fromCharCode(code)}`, 'b']]); } catch (error) { if (!(error instanceof TypeError)) throw error; } } const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter((c) => c >= ' ' && c !== '\x7f').join('');
  return new Response('odd', { headers: { 'x-every': every } });
});
