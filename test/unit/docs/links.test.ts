import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Every relative link of the documents leads to a file and a heading that exist, and every file they name is there. */

const root = fileURLToPath(new URL('../../..', import.meta.url));

function markdownIn(folder: string, deep: boolean): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return deep ? markdownIn(path, deep) : [];
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

const foldersWithPages = ['', 'bench', 'sdk'];
const documents = [...foldersWithPages.flatMap((folder) => markdownIn(folder, false)), ...markdownIn('docs', true)];
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const withoutBlocks = (text: string): string => text.replace(/^ *```[\s\S]*?^ *```$/gm, '');

/** The anchors of a document, as GitHub makes them of its headings. */
function anchorsOf(text: string): Set<string> {
  const headings = [...withoutBlocks(text).matchAll(/^#{1,6} +(.+)$/gm)];
  return new Set(
    headings.map(([, heading]) =>
      heading!
        .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

const linksIn = (text: string): string[] =>
  [...withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);

/** Files of the project that a text names in full, in code spans and blocks. */
const folders = 'gateway|workers|shared|sdk|cli|tools|test|bench|deploy|docs|examples';
const endings = 'ts|mjs|c|lua|md|ya?ml|html|json|service|png|svg';
const filesIn = (text: string): string[] =>
  [...text.matchAll(new RegExp(`(?<![\\w./@-])(?:${folders})(?:/[\\w.@-]+)+\\.(?:${endings})\\b`, 'g'))].map(
    ([path]) => path,
  );

describe.each(documents)('%s', (document) => {
  const text = read(document);

  test('has links that lead somewhere', () => {
    const broken = linksIn(text).filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path, anchor] = link.split('#') as [string, string | undefined];
      const target = path === '' ? document : relative(root, join(root, dirname(document), path));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && target.endsWith('.md') && !anchorsOf(read(target)).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  test('names files that exist', () => {
    expect(filesIn(text).filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});

describe('design pages', () => {
  const headings = ['Problem', 'Rules', 'Why not simpler', 'Where in the code', 'Which test breaks'];

  test.each(documents.filter((path) => path.startsWith('docs/design/') && !path.endsWith('README.md')))(
    '%s has the headings of its form',
    (path) => {
      expect([...read(path).matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual(headings);
    },
  );
});
