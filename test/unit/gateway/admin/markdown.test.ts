import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { htmlOf } from '../../../../gateway/admin/markdown.ts';

const everywhere = (target: string) => target;

test('headings have the anchors that links of the documents name', () => {
  expect(htmlOf('## The index is behind', everywhere)).toBe('<h2 id="the-index-is-behind">The index is behind</h2>');
  expect(htmlOf('### If the start, of `npm`, fails', everywhere)).toContain('<h3 id="if-the-start-of-npm-fails">');
});

test('lines of a paragraph belong together, and so do those of an item', () => {
  expect(htmlOf('one\ntwo\n\nthree', everywhere)).toBe('<p>one two</p>\n<p>three</p>');
  expect(htmlOf('- one\n  goes on\n- two', everywhere)).toBe('<ul><li>one goes on</li><li>two</li></ul>');
  expect(htmlOf('1. one\n2. two', everywhere)).toBe('<ol><li>one</li><li>two</li></ol>');
});

test('a table has a head and rows, and an escaped bar is a bar', () => {
  const html = htmlOf('| name | does |\n| --- | --- |\n| `a \\| b` | **this** |\n', everywhere);
  expect(html).toContain('<thead><tr><th scope="col">name</th><th scope="col">does</th></tr></thead>');
  expect(html).toContain('<tbody><tr><td><code>a | b</code></td><td><strong>this</strong></td></tr></tbody>');
});

test('code stays as it is, in lines and in blocks', () => {
  expect(htmlOf('`restante_group_lag **now**`', everywhere)).toContain('restante_group_lag **now**');
  expect(htmlOf('```sh\nif a < b # no heading\n\n| no table |\n```', everywhere)).toBe(
    '<pre tabindex="0">if a &#60; b # no heading\n\n| no table |</pre>',
  );
});

test('nothing of the text becomes HTML, and no link leads out of its address', () => {
  expect(htmlOf('<img src=x onerror=alert(1)> & `<b>`', everywhere)).toBe(
    '<p>&#60;img src=x onerror=alert(1)&#62; &#38; <code>&#60;b&#62;</code></p>',
  );
  expect(htmlOf('[a](b"onclick="c)', everywhere)).toBe('<p><a href="b&#34;onclick=&#34;c">a</a></p>');
});

test('a link that leads nowhere is its text', () => {
  expect(htmlOf('see [the alerts](../../deploy/alerts.yml)', () => null)).toBe('<p>see the alerts</p>');
  expect(htmlOf('_must_ see [it](runbook.md#health)', () => '/there')).toBe(
    '<p><em>must</em> see <a href="/there">it</a></p>',
  );
});

const folder = new URL('../../../../docs/operations/', import.meta.url);
describe.each(readdirSync(folder).filter((name) => name.endsWith('.md')))('%s', (name) => {
  test('is written in nothing else', () => {
    const html = htmlOf(readFileSync(new URL(name, folder), 'utf8'), everywhere);
    const text = html.replace(/<(code|pre)\b[^>]*>[\s\S]*?<\/\1>/g, '').replace(/<[^>]+>/g, '');
    expect(text.match(/\*\*|`|\]\(|^#+ |^\| |!\[|^> /gm) ?? []).toEqual([]);
  });
});
