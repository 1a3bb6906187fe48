import { openFolder } from './folder.ts';
import type { ObjectStore } from './objects.ts';

/** The place that COLD_URL names: `file:<folder>`. */
export function openObjects(url: string): ObjectStore {
  const folder = url.startsWith('file:') ? url.slice('file:'.length) : '';
  if (folder === '') throw new Error('COLD_URL must be file: and a folder');
  return openFolder(folder);
}
