import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { NONCE, secureHeaders } from 'hono/secure-headers';
import { nanoid } from 'nanoid';
import type { z } from 'zod';
import { NewBook, Shelf } from '@shelf/books.ts';
import { appFile } from '@shelf/files.ts';
import { listNotes, readNote } from '@shelf/notes.ts';
import { notePage, shelfPage } from '@shelf/page.ts';
import { readAloud } from '@shelf/stream.ts';

/** Configuration of the deployment. Everything has a default. */
interface Env {
  /** The heading of the page. */
  SHELF_TITLE?: string;
  /** `off` silences the audit line of each request. */
  SHELF_AUDIT?: string;
}

interface Variables {
  secureHeadersNonce?: string;
}

/** Largest accepted body of a request, in bytes: a book with the longest allowed note stays far below. */
const MAX_BODY_BYTES = 64 * 1024;

const shelf = Shelf.fromFile();
const worker = { id: nanoid(6), startedAt: new Date(), requests: 0 };

const app = new Hono<{ Bindings: Env; Variables: Variables }>();

app.use(
  secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      scriptSrc: [NONCE],
      styleSrc: [NONCE],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"],
    },
  }),
);

// The audit line is written after the response has left: `waitUntil` keeps the worker for it.
app.use(async (c, next) => {
  const started = performance.now();
  worker.requests += 1;
  const count = worker.requests;
  await next();
  if (c.env.SHELF_AUDIT === 'off') return;
  const line = {
    worker: worker.id,
    request: count,
    method: c.req.method,
    path: c.req.path,
    status: c.res.status,
    ms: Math.round((performance.now() - started) * 10) / 10,
  };
  c.executionCtx.waitUntil(Promise.resolve().then(() => console.log('audit', JSON.stringify(line))));
});

app.get('/', async (c) => {
  const tag = c.req.query('tag') || undefined;
  return c.html(
    shelfPage({
      title: c.env.SHELF_TITLE ?? 'The shelf',
      nonce: c.get('secureHeadersNonce') ?? '',
      books: shelf.list(tag),
      tag,
      summary: shelf.summary(),
      notes: await listNotes(),
      worker,
      now: new Date(),
    }),
  );
});

app.get('/notes/:slug', async (c) => {
  const note = await readNote(c.req.param('slug'));
  if (!note) return c.notFound();
  return c.html(notePage({ title: c.env.SHELF_TITLE ?? 'The shelf', nonce: c.get('secureHeadersNonce') ?? '', note }));
});

app.get('/favicon.svg', async (c) => {
  const svg = await readFile(appFile('public', 'favicon.svg'));
  return c.body(new Uint8Array(svg), 200, { 'content-type': 'image/svg+xml', 'cache-control': 'public, max-age=86400' });
});

app.get('/stream', (c) => {
  return c.body(readAloud(shelf.list()), 200, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
});

app.get('/api/books', (c) => {
  const books = shelf.list(c.req.query('tag') || undefined);
  return c.json({ count: books.length, books });
});

app.get('/api/books/:id', (c) => {
  const book = shelf.get(c.req.param('id'));
  return book ? c.json(book) : c.json(problem('There is no such book.'), 404);
});

const limitBody = bodyLimit({
  maxSize: MAX_BODY_BYTES,
  onError: (c) => c.json(problem(`The body is larger than ${MAX_BODY_BYTES} bytes.`), 413),
});

app.post('/api/books', limitBody, async (c) => {
  let body: unknown;
  try {
    body = await c.req.json();
  } catch {
    return c.json(problem('The body is not JSON.'), 400);
  }
  const parsed = NewBook.safeParse(body);
  if (!parsed.success) {
    return c.json(problem('The book is not valid.', parsed.error.issues.flatMap(issuesOf)), 400);
  }
  const book = shelf.add(parsed.data);
  return c.json(book, 201, { location: `/api/books/${book.id}` });
});

app.delete('/api/books/:id', (c) => {
  return shelf.remove(c.req.param('id')) ? c.body(null, 204) : c.json(problem('There is no such book.'), 404);
});

app.notFound((c) => c.json(problem(`Nothing is at ${c.req.path}.`), 404));

interface Issue {
  field: string;
  code: string;
  message: string;
}

/** The one shape of every refusal. */
function problem(message: string, issues?: Issue[]) {
  return { error: { message, ...(issues && { issues }) } };
}

/** Zod's issue by field: unknown keys are reported together, on their parent, and are told apart here. */
function issuesOf(issue: z.core.$ZodIssue): Issue[] {
  const { code, message, path } = issue;
  if (issue.code !== 'unrecognized_keys') return [{ field: path.join('.'), code, message }];
  return issue.keys.map((key) => ({ field: [...path, key].join('.'), code, message: 'There is no such field.' }));
}

export default app;
