import { writeFileSync } from 'node:fs';
import { generatedFiles } from './files.ts';

/** `node documents/generate.ts` writes every generated file anew. */
for (const [path, text] of generatedFiles()) writeFileSync(new URL(`../${path}`, import.meta.url), text);
