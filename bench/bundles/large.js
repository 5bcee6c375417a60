// An app of the size that a service with a handful of dependencies has: about 300 KB, minified. Its answer is computed
// with each of the packages, so that none of them is there for its weight alone.

import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { etag } from 'hono/etag';
import { secureHeaders } from 'hono/secure-headers';
import { cloneDeep, groupBy, isEqual, kebabCase, merge, omitBy, sortBy, sumBy } from 'lodash-es';
import { marked } from 'marked';
import { parse, stringify } from 'yaml';
import * as z from 'zod';

const SHELF = `
books:
  - { title: The Dispossessed, author: Le Guin, year: 1974, pages: 341 }
  - { title: The Left Hand of Darkness, author: Le Guin, year: 1969, pages: 286 }
  - { title: Solaris, author: Lem, year: 1961, pages: 204 }
`;

const Shelf = z.strictObject({
  books: z.array(
    z.strictObject({
      title: z.string().min(1),
      author: z.string(),
      year: z.int().min(1900),
      pages: z.int().positive(),
    }),
  ),
});

function page() {
  const parsed = parse(SHELF);
  const { books } = Shelf.parse(cloneDeep(parsed));
  if (!isEqual(parsed, { books })) throw new Error('the shelf changed while it was read');
  const authors = Object.entries(groupBy(sortBy(books, 'year'), 'author'));
  const lines = authors.map(([author, written]) => `* **${author}**: ${sumBy(written, 'pages')} pages`);
  const first = kebabCase(books[0].title);
  const totals = omitBy(merge({ books: 0 }, { books: books.length, slug: first, lent: 0 }), (value) => value === 0);
  return `${marked.parse(`# Shelf\n\n${lines.join('\n')}`)}${stringify(totals)}`;
}

// How often this worker has answered `/wait`: a worker of one's own always says 1.
let waited = 0;

const app = new Hono();
app.use(secureHeaders(), cors());
app.get('/', etag(), (context) => context.text(page()));
app.get('/wait/:ms', async (context) => {
  const count = ++waited;
  await new Promise((resolve) => setTimeout(resolve, Number(context.req.param('ms'))));
  return context.text(`${count}\n${page()}`);
});

export default app;
