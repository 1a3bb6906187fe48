import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const path = (name: string): string =>
  JSON.stringify(fileURLToPath(new URL(`../../sdk/src/entries/${name}.ts`, import.meta.url)));
const common = { createClient: 'client', indexedDb: 'indexeddb' };

/**
 * The client package as one script for a page, which sets `restante`. `more`: further exports, and the entries that
 * have them.
 */
export async function clientScript(more: Record<string, string> = {}): Promise<string> {
  const entry = Object.entries({ ...common, ...more })
    .map(([name, from]) => `export { ${name} } from ${path(from)};`)
    .join('\n');
  const plugin = {
    name: 'entry',
    resolveId: (id: string) => (id === 'entry' ? id : null),
    load: (id: string) => (id === 'entry' ? entry : null),
  };
  const { output } = await build({
    input: 'entry',
    plugins: [plugin],
    output: { format: 'iife', name: 'restante' },
    write: false,
    logLevel: 'silent',
  });
  return output[0].code;
}
