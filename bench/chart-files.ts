/** The files of a chart: the SVG, and the results beside it, from which it can be drawn again, and maybe a page. */
import { readFile, writeFile } from 'node:fs/promises';

/** Rejects with a sentence if the file holds no results. The caller knows of which command. */
export async function readResults<Results extends { cases: unknown[] }>(path: string): Promise<Results> {
  const results: unknown = JSON.parse(await readFile(path, 'utf8'));
  if (typeof results !== 'object' || results === null || !('cases' in results) || !Array.isArray(results.cases))
    throw new Error(`${path} holds no results of npm run bench`);
  return results as Results;
}

/** Null where nothing of the chart was measured. */
type Draw<Results> = (results: Results) => string | null;

/**
 * Resolves what was done, as a sentence. Where nothing of the chart was measured, an earlier one stays. `describe`
 * makes the page, which stands beside the chart too.
 */
export async function writeChart<Results>(
  path: string,
  results: Results,
  draw: Draw<Results>,
  describe?: (results: Results) => string,
): Promise<string> {
  const chart = draw(results);
  if (chart === null) return `no chart: nothing of what ${path} shows was measured`;
  const beside = (ending: string): string => path.replace(/\.svg$/, ending);
  await writeFile(path, chart);
  await writeFile(beside('.json'), `${JSON.stringify(results, null, 2)}\n`);
  if (describe) await writeFile(beside('.md'), describe(results));
  return `drawn: ${path}, from ${beside('.json')}`;
}
