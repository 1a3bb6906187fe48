import { execFileSync } from 'node:child_process';

/** The commit that is measured, for results that are kept; nothing outside of a checkout. */
export function commit(): { commit?: string } {
  try {
    const name = execFileSync('git', ['rev-parse', '--short=7', 'HEAD'], {
      cwd: import.meta.dirname,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { commit: name.trim() };
  } catch {
    return {};
  }
}
