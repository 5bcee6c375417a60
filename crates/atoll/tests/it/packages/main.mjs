// One real thing with each package; prints a line for each that did it.
import { sha256 } from '@noble/hashes/sha2.js';
import Ajv from 'ajv';
import busboy from 'busboy';
import { parse as parseCsv } from 'csv-parse';
import { addDays, formatISO } from 'date-fns';
import dayjs from 'dayjs';
import { XMLBuilder, XMLParser } from 'fast-xml-parser';
import gracefulFs from 'graceful-fs';
import Handlebars from 'handlebars';
import { Hono } from 'hono';
import { produce } from 'immer';
import * as jose from 'jose';
import lodash from 'lodash';
import { marked } from 'marked';
import { customAlphabet, nanoid } from 'nanoid';
import pump from 'pump';
import { filter, firstValueFrom, from, map, toArray } from 'rxjs';
import semver from 'semver';
import split2 from 'split2';
import tar from 'tar-stream';
import through2 from 'through2';
import { v4, v5, validate } from 'uuid';
import YAML from 'yaml';
import { z } from 'zod';
import { PassThrough, Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

function check(name, actual, expected) {
  const [a, b] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${name}: got ${a}, wanted ${b}`);
  console.log(name);
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
check('@noble/hashes', hex(sha256(new TextEncoder().encode('abc'))).slice(0, 16), 'ba7816bf8f01cfea');

const validateUser = new Ajv().compile({
  type: 'object',
  properties: { age: { type: 'integer', minimum: 18 } },
  required: ['age'],
});
check('ajv', [validateUser({ age: 20 }), validateUser({ age: 3 }), validateUser.errors[0].keyword], [true, false, 'minimum']);

const form = busboy({ headers: { 'content-type': 'multipart/form-data; boundary=x' } });
const fields = [];
form.on('field', (name, value) => fields.push([name, value]));
form.on('file', (name, file, { filename }) => void text(file).then((content) => fields.push([name, filename, content])));
const part = (head, content) => `--x\r\ncontent-disposition: form-data; ${head}\r\n\r\n${content}\r\n`;
await pipeline([Buffer.from(part('name="a"', '1')), Buffer.from(`${part('name="f"; filename="b.txt"', 'file')}--x--\r\n`)], form);
check('busboy', fields, [['a', '1'], ['f', 'b.txt', 'file']]);

const records = await Readable.from(['n,t\n1,"x', '\ny"\n2,z\n']).pipe(parseCsv({ columns: true })).toArray();
check('csv-parse', records, [{ n: '1', t: 'x\ny' }, { n: '2', t: 'z' }]);
check('date-fns', formatISO(addDays(new Date(2024, 1, 28), 2), { representation: 'date' }), '2024-03-01');
check('dayjs', dayjs('2024-02-28').add(2, 'day').format('YYYY/MM/DD'), '2024/03/01');

const xml = '<a><b n="1">x</b><b n="2">y</b></a>';
const options = { ignoreAttributes: false };
const parsed = new XMLParser(options).parse(xml);
check('fast-xml-parser', [parsed.a.b[1]['@_n'], new XMLBuilder(options).build(parsed)], ['2', xml]);

await pipeline(['grace', 'ful'], gracefulFs.createWriteStream('/tmp/graceful'));
check('graceful-fs', await text(gracefulFs.createReadStream('/tmp/graceful', { start: 2 })), 'aceful');

Handlebars.registerHelper('loud', (text) => text.toUpperCase());
const template = Handlebars.compile('{{#each names}}{{loud this}}! {{/each}}{{{raw}}}{{escaped}}');
check('handlebars', template({ names: ['a', 'b'], raw: '<', escaped: '<' }), 'A! B! <&lt;');

const app = new Hono();
app.get('/hello/:name', (c) => c.json({ hello: c.req.param('name') }));
const answer = await app.request('/hello/atoll');
check('hono', [answer.status, await answer.json()], [200, { hello: 'atoll' }]);

const before = { list: [1], other: {} };
const after = produce(before, (draft) => void draft.list.push(2));
check('immer', [after.list, before.list, after.other === before.other], [[1, 2], [1], true]);

const thumbprint = await jose.calculateJwkThumbprint({ kty: 'oct', k: 'AAAA' });
const token = new jose.UnsecuredJWT({ sub: 'me' }).setIssuer('atoll').encode();
check('jose', [thumbprint.length, jose.UnsecuredJWT.decode(token, { issuer: 'atoll' }).payload.sub], [43, 'me']);
check('lodash', [lodash.groupBy([1, 2, 3], (n) => n % 2), lodash.camelCase('foo bar')], [{ 0: [2], 1: [1, 3] }, 'fooBar']);
check('marked', marked.parse('# Hi *there*'), '<h1>Hi <em>there</em></h1>\n');
check('nanoid', [nanoid().length, customAlphabet('a', 4)()], [21, 'aaaa']);

const pumped = await new Promise((resolve) => {
  const failing = new Writable({ write: (chunk, _, callback) => callback(new Error('sink')) });
  const source = Readable.from(['x']);
  pump(source, new PassThrough(), failing, (error) => resolve([error.message, source.destroyed]));
});
check('pump', pumped, ['sink', true]);

const even = from([1, 2, 3, 4]).pipe(filter((n) => n % 2 === 0), map((n) => n * n), toArray());
check('rxjs', await firstValueFrom(even), [4, 16]);
check('semver', [semver.maxSatisfying(['1.2.3', '1.3.0', '2.0.0'], '^1.2.0'), semver.inc('1.2.3', 'minor')], ['1.3.0', '1.3.0']);
check('split2', await Readable.from(['{"a":1}\n{"a"', ':2}\n']).pipe(split2(JSON.parse)).toArray(), [{ a: 1 }, { a: 2 }]);

const packed = tar.pack();
packed.entry({ name: 'a.txt' }, 'in a tar file');
packed.finalize();
const entries = [];
const extract = tar.extract();
extract.on('entry', (header, stream, next) => void text(stream).then((content) => next(void entries.push([header.name, content]))));
await pipeline(packed, new PassThrough(), extract);
check('tar-stream', entries, [['a.txt', 'in a tar file']]);
const loud = through2((chunk, _, callback) => callback(null, String(chunk).toUpperCase()));
check('through2', await text(Readable.from(['a', 'b']).pipe(loud)), 'AB');
check('uuid', [validate(v4()), v5('x', '6ba7b810-9dad-11d1-80b4-00c04fd430c8')], [true, '05b16a01-46c6-56dd-bd6e-c6dfb4a1427a']);
check('yaml', [YAML.parse('a: [1, { b: c }]\n'), YAML.stringify({ x: [1, 2] })], [{ a: [1, { b: 'c' }] }, 'x:\n  - 1\n  - 2\n']);
check('zod', [z.object({ n: z.coerce.number() }).parse({ n: '4' }), z.string().email().safeParse('no').success], [{ n: 4 }, false]);
