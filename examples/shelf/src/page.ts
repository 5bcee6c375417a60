import { format, formatDistance, parseISO } from 'date-fns';
import { html, raw } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import type { Book, Shelf } from '@shelf/books.ts';
import { type Note, renderMarkdown } from '@shelf/notes.ts';
import { SCRIPT } from '@shelf/page/script.ts';
import { STYLE } from '@shelf/page/style.ts';

type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

interface ShelfPage {
  title: string;
  nonce: string;
  books: Book[];
  tag: string | undefined;
  summary: ReturnType<Shelf['summary']>;
  notes: Pick<Note, 'slug' | 'title'>[];
  worker: { id: string; startedAt: Date; requests: number };
  now: Date;
}

/** The page at `/`. */
export function shelfPage(page: ShelfPage): Html {
  const { title, nonce, books, tag, summary, notes, worker, now } = page;
  return layout({
    title,
    nonce,
    body: html`
      <header class="masthead">
        <h1>${title}</h1>
        <dl class="figures">
          ${figure(summary.books, 'books')} ${figure(summary.authors, 'authors')}
          ${figure(summary.finished, 'finished')} ${figure(summary.pages.toLocaleString('en-GB'), 'pages read')}
        </dl>
        <div class="spines" aria-hidden="true">${books.slice(0, 28).map((book) => html`<i class="${spine(book)}"></i>`)}</div>
      </header>

      <div class="columns">
        <main id="main">
          <h2 class="hidden">Books</h2>
          <nav class="tags" aria-label="Tags">
            ${tagLink('everything', undefined, tag)}
            ${summary.tags.map(([name, count]) => tagLink(`${name} ${count}`, name, tag))}
          </nav>
          ${books.length === 0
            ? html`<p class="empty">No book here carries the tag “${tag}”.</p>`
            : html`<ol class="books">
                ${books.map((book) => bookItem(book, now))}
              </ol>`}
        </main>

        <aside aria-label="Tools">
          <section class="panel">
            <h2>Add a book</h2>
            ${bookForm()}
          </section>
          <section class="panel">
            <h2>Read aloud</h2>
            <p>The server sends one line every quarter of a second.</p>
            <button type="button" id="read" class="quiet">Begin</button>
            <pre id="aloud" role="log" aria-live="polite" aria-label="The shelf, read aloud"></pre>
          </section>
          <section class="panel">
            <h2>Notes</h2>
            <ul class="links">
              ${notes.map((note) => html`<li><a href="/notes/${note.slug}">${note.title}</a></li>`)}
            </ul>
          </section>
        </aside>
      </div>

      <footer>
        <p>
          Answered by worker <code>${worker.id}</code>, started
          ${formatDistance(worker.startedAt, now, { addSuffix: true, includeSeconds: true })}: its request number
          ${worker.requests}. Additions live in this worker’s memory. <a href="/api/books">The shelf as JSON</a>
        </p>
      </footer>
      <script nonce="${nonce}">
        ${raw(SCRIPT)};
      </script>
    `,
  });
}

/** The page of one note. */
export function notePage({ title, nonce, note }: { title: string; nonce: string; note: Note }): Html {
  return layout({
    title: `${note.title} · ${title}`,
    nonce,
    body: html`<div class="single">
      <p><a href="/">← ${title}</a></p>
      <main id="main" class="prose">${raw(note.html)}</main>
    </div>`,
  });
}

function layout({ title, nonce, body }: { title: string; nonce: string; body: Html }): Html {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
        <style nonce="${nonce}">
          ${raw(STYLE)}
        </style>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the books</a>
        ${body}
      </body>
    </html>`;
}

function figure(value: number | string, label: string): Html {
  return html`<div><dt>${label}</dt><dd>${value}</dd></div>`;
}

function tagLink(label: string, tag: string | undefined, current: string | undefined): Html {
  const href = tag === undefined ? '/' : `/?tag=${encodeURIComponent(tag)}`;
  return tag === current
    ? html`<a href="${href}" aria-current="true">${label}</a>`
    : html`<a href="${href}">${label}</a>`;
}

function bookItem(book: Book, now: Date): Html {
  return html`<li class="book">
    <i class="mark ${spine(book)}" aria-hidden="true"></i>
    <article aria-labelledby="t-${book.id}">
      <h3 id="t-${book.id}">${book.title}</h3>
      <p class="by">${book.author}, ${book.published} · ${book.pages} pages</p>
      ${book.note === '' ? '' : html`<div class="prose">${raw(renderMarkdown(book.note))}</div>`}
      <p class="state">
        ${book.rating === undefined ? '' : stars(book.rating)}
        ${book.finished === undefined
          ? html`<span>on the table, opened ${ago(book.addedAt, now)}</span>`
          : html`<span>finished <time datetime="${book.finished}">${format(parseISO(book.finished), 'd MMMM yyyy')}</time></span>`}
        <button type="button" class="remove" data-remove="${book.id}" aria-label="Remove ${book.title}">Remove</button>
      </p>
    </article>
  </li>`;
}

function stars(rating: number): Html {
  const filled = '★'.repeat(rating);
  const empty = '☆'.repeat(5 - rating);
  return html`<span class="stars" role="img" aria-label="${rating} of 5 stars">${filled}${empty}</span>`;
}

function ago(date: string, now: Date): Html {
  return html`<time datetime="${date}">${formatDistance(parseISO(date), now, { addSuffix: true })}</time>`;
}

/** Classes of the spine of a book: its colour follows title and author, its height the number of pages. */
function spine(book: Book): string {
  let hash = 0;
  for (const character of book.title + book.author) hash = (hash * 73 + (character.codePointAt(0) ?? 0)) % 65_521;
  const height = Math.min(4, Math.floor(book.pages / 150));
  return `spine c${hash % 6} h${height}`;
}

function bookForm(): Html {
  return html`<form id="add" novalidate>
    ${field('title', 'Title', html`<input id="title" name="title" autocomplete="off" required aria-describedby="title-error" />`)}
    ${field('author', 'Author', html`<input id="author" name="author" autocomplete="off" required aria-describedby="author-error" />`)}
    <div class="pair">
      ${field('published', 'Year', html`<input id="published" name="published" inputmode="numeric" required aria-describedby="published-error" />`)}
      ${field('pages', 'Pages', html`<input id="pages" name="pages" inputmode="numeric" required aria-describedby="pages-error" />`)}
    </div>
    ${field('note', 'Note, in Markdown', html`<textarea id="note" name="note" rows="3" aria-describedby="note-error"></textarea>`)}
    <p class="problem" id="form-problem" role="alert"></p>
    <button type="submit">Put on the shelf</button>
  </form>`;
}

function field(name: string, label: string, input: Html): Html {
  return html`<div class="field">
    <label for="${name}">${label}</label>${input}
    <p class="problem" id="${name}-error"></p>
  </div>`;
}
