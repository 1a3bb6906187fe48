import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

/** The files of the chat app that no compiler checks. */

const app = new URL('../../../../sdk/app/', import.meta.url);
const look = readFileSync(new URL('../../../../gateway/http/look.css', import.meta.url), 'utf8');
const sheets = readdirSync(new URL('files/', app)).filter((name) => name.endsWith('.css'));
const read = (path: string): string => readFileSync(new URL(path, app), 'utf8');
const page = read('index.html');

describe.each(sheets)('%s', (name) => {
  const css = read(`files/${name}`).replace(/\/\*[\s\S]*?\*\//g, '');

  test('goes by no side of the screen, so that it works from right to left', () => {
    expect(css.match(/\b(left|right)\b|\b(margin|padding|border)-(top|bottom)\b/g)).toBeNull();
  });

  test('has no colour of its own, and uses only tokens of the look', () => {
    expect(css.match(/#[0-9a-f]{3,8}\b|\b(rgb|hsl)a?\(/gi)).toBeNull();
    const own = new Set(['hue']);
    const used = [...css.matchAll(/var\(--([\w-]+)\)/g)].map(([, token]) => token!);
    expect(used.filter((token) => !own.has(token) && !look.includes(`--${token}:`))).toEqual([]);
  });

  test('is linked by the page', () => expect(page).toContain(`href="/app/files/${name}"`));
});

test('the page has no style and no script inside', () => {
  expect(page.match(/\sstyle=|<style|\son\w+=/g)).toBeNull();
  expect([...page.matchAll(/<script.*<\/script>/gs)].map(([script]) => script)).toEqual([
    '<script type="module" src="/app/main.js"></script>',
  ]);
});
