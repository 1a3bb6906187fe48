import { writeFileSync } from 'node:fs';
import { generatedFiles } from './files.ts';

/** `node tools/docgen/generate.ts` writes every generated file. */
for (const [path, text] of generatedFiles()) writeFileSync(new URL(`../../${path}`, import.meta.url), text);
