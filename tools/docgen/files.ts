import { readFileSync } from 'node:fs';
import { envExample } from '../../shared/process/config.ts';
import { asyncApi } from './asyncapi.ts';
import { readExamples } from './examples.ts';
import { frameSchemaDocument } from './schemas.ts';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const json = (value: object): string => `${JSON.stringify(value, null, 2)}\n`;

/** Every file that is generated: its path from the root and its text. */
export function generatedFiles(): Map<string, string> {
  const { version, description } = JSON.parse(read('package.json')) as { version: string; description: string };
  return new Map([
    ['.env.example', envExample()],
    ['docs/generated/frames.schema.json', json(frameSchemaDocument())],
    ['docs/generated/asyncapi.json', json(asyncApi(version, description, readExamples(read('PROTOCOL.md'))))],
  ]);
}
