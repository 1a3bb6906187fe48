import { readFileSync } from 'node:fs';
import { envExample } from '../../shared/process/config.ts';
import { asyncApi } from './asyncapi.ts';
import { readExamples } from './examples.ts';
import { frameSchemaDocument } from './schemas.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** One line of a comment: as many words as fit into 120 characters including `# `. */
const wordsOfLine = /(.{1,118})(?: |$)/g;

/** Breaks the comments of an environment file between words, so that no line is longer than 120 characters. */
function wrapComments(text: string): string {
  const wrap = (comment: string): string =>
    [...comment.matchAll(wordsOfLine)].map(([, words]) => `# ${words}`).join('\n');
  return text
    .split('\n')
    .map((line) => (line.startsWith('# ') ? wrap(line.slice(2)) : line))
    .join('\n');
}

/** Every generated file: its path from the root, and its text. */
export function generatedFiles(): Map<string, string> {
  const { version, description } = JSON.parse(read('package.json')) as { version: string; description: string };
  return new Map([
    ['.env.example', wrapComments(envExample())],
    ['docs/generated/frames.schema.json', json(frameSchemaDocument())],
    ['docs/generated/asyncapi.json', json(asyncApi(version, description, readExamples(read('PROTOCOL.md'))))],
  ]);
}
