// Writes a file, reads it back and removes it.
import { readFile, rm, writeFile } from 'node:fs/promises';
import { Buffer } from 'node:buffer';

export default {
  async fetch(request) {
    const id = new URL(request.url).searchParams.get('id');
    const path = `/tmp/${id}`;
    await writeFile(path, `file ${id} `.repeat(200));
    const text = await readFile(path, 'utf8');
    await rm(path);
    return new Response(Buffer.from(text).toString('base64'));
  },
};
