import type { Book } from '@shelf/books.ts';

/** Pause between two lines, in milliseconds: long enough to see each line arrive. */
const LINE_PAUSE_MS = 250;

/** Reads the shelf aloud, one line at a time. Stops early when the reader goes away. */
export function readAloud(books: Book[]): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const lines = [
    `There are ${books.length} books on this shelf.`,
    ...books.map((book, index) => `${index + 1}. ${book.title}, by ${book.author}, ${book.published}.`),
    'That is all. Good night.',
  ];
  let next = 0;
  return new ReadableStream({
    async pull(controller) {
      if (next > 0) await new Promise((resolve) => setTimeout(resolve, LINE_PAUSE_MS));
      controller.enqueue(encoder.encode(`${lines[next]}\n`));
      next += 1;
      if (next === lines.length) controller.close();
    },
    cancel() {
      next = lines.length;
    },
  });
}
