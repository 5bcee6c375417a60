import { readdir, readFile } from 'node:fs/promises';
import _ from 'lodash';
import { Marked } from 'marked';
import { appFile } from '@shelf/files.ts';

/**
 * Markdown to HTML. Notes come in over the API, so raw HTML is shown as text and links that are neither
 * http(s) nor of this site lose their target.
 */
const markdown = new Marked({
  gfm: true,
  renderer: {
    html({ text }) {
      return _.escape(text);
    },
    link({ href, tokens }) {
      const label = this.parser.parseInline(tokens);
      return /^(https?:\/\/|\/(?!\/))/i.test(href) ? `<a href="${_.escape(href)}">${label}</a>` : label;
    },
    image({ text }) {
      return _.escape(text);
    },
  },
});

export function renderMarkdown(source: string): string {
  return markdown.parse(source, { async: false });
}

export interface Note {
  slug: string;
  title: string;
  html: string;
}

/** The note `notes/<slug>.md`, or undefined where there is none. */
export async function readNote(slug: string): Promise<Note | undefined> {
  if (!/^[a-z0-9-]+$/.test(slug)) return undefined;
  let source: string;
  try {
    source = await readFile(appFile('notes', `${slug}.md`), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return { slug, title: titleOf(source) ?? _.startCase(slug), html: renderMarkdown(source) };
}

/** Every note's slug and title, by title. */
export async function listNotes(): Promise<Pick<Note, 'slug' | 'title'>[]> {
  const names = (await readdir(appFile('notes'))).filter((name) => name.endsWith('.md'));
  const notes = await Promise.all(names.map((name) => readNote(name.slice(0, -3))));
  return _.sortBy(_.compact(notes), 'title').map((note) => _.pick(note, 'slug', 'title'));
}

function titleOf(source: string): string | undefined {
  return /^#\s+(.+)$/m.exec(source)?.[1];
}
