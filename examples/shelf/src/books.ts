import { readFileSync } from 'node:fs';
import { isFuture, isValid, parseISO } from 'date-fns';
import _ from 'lodash';
import { nanoid } from 'nanoid';
import { z } from 'zod';
import { appFile } from '@shelf/files.ts';

const CURRENT_YEAR = new Date().getFullYear();

/** What a client may send. Unknown fields are refused, so that a typing error does not vanish. */
export const NewBook = z.strictObject({
  title: z.string().trim().min(1, 'A book needs a title.').max(200),
  author: z.string().trim().min(1, 'A book needs an author.').max(120),
  published: z.int('The year is a whole number.').min(-3000).max(CURRENT_YEAR + 1),
  pages: z.int('The number of pages is a whole number.').positive('A book has at least one page.').max(20_000),
  finished: z.iso
    .date()
    .refine((day) => isValid(parseISO(day)) && !isFuture(parseISO(day)), 'This day is still to come.')
    .optional(),
  rating: z.int().min(1).max(5).optional(),
  tags: z.array(z.string().trim().min(1).max(40)).max(8).default([]),
  note: z.string().max(4000).default(''),
});

const Book = NewBook.extend({ id: z.string(), addedAt: z.iso.datetime() });

export type NewBook = z.infer<typeof NewBook>;
export type Book = z.infer<typeof Book>;

/** Most books one worker keeps; the oldest leaves first. The store is memory, and a shelf has an end. */
const MAX_BOOKS = 500;

/** The shelf of this worker. Every worker starts from the same file and keeps its own additions until it is retired. */
export class Shelf {
  readonly #books = new Map<string, Book>();

  constructor(seed: Book[]) {
    for (const book of seed) this.#books.set(book.id, book);
  }

  /** Reads and checks the seed file. */
  static fromFile(path = appFile('data', 'books.json')): Shelf {
    return new Shelf(z.array(Book).parse(JSON.parse(readFileSync(path, 'utf8'))));
  }

  /** All books, the latest addition first, optionally of one tag. */
  list(tag?: string): Book[] {
    const books = [...this.#books.values()].filter((book) => tag === undefined || book.tags.includes(tag));
    return _.orderBy(books, ['addedAt', 'title'], ['desc', 'asc']);
  }

  get(id: string): Book | undefined {
    return this.#books.get(id);
  }

  add(book: NewBook): Book {
    const added: Book = { ...book, id: nanoid(10), addedAt: new Date().toISOString() };
    this.#books.set(added.id, added);
    if (this.#books.size > MAX_BOOKS) {
      const oldest = _.minBy([...this.#books.values()], 'addedAt');
      if (oldest) this.#books.delete(oldest.id);
    }
    return added;
  }

  remove(id: string): boolean {
    return this.#books.delete(id);
  }

  /** The figures in the page's head. */
  summary(): { books: number; finished: number; pages: number; authors: number; tags: [string, number][] } {
    const books = [...this.#books.values()];
    const finished = books.filter((book) => book.finished !== undefined);
    const tags = Object.entries(_.countBy(books.flatMap((book) => book.tags)));
    return {
      books: books.length,
      finished: finished.length,
      pages: _.sumBy(finished, 'pages'),
      authors: _.uniqBy(books, 'author').length,
      tags: _.orderBy(tags, [([, count]) => count, ([tag]) => tag], ['desc', 'asc']),
    };
  }
}
