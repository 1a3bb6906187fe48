import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Builds a library that the linker loads before libc (LD_PRELOAD), from a C file, unless it was already built from the
 * same source. It gets its final name last, so that nobody loads half of it. Needs Linux and a C compiler; otherwise
 * `reason` names what is missing. `what` says what the library is, for that reason.
 */
export function buildPreload(source: string, what: string): { path: string } | { reason: string } {
  if (process.platform !== 'linux') return { reason: `${what} works on Linux only` };
  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) return { reason: `there is no C compiler (cc, gcc or clang) to build ${what} with` };
  const folder = join(tmpdir(), `restante-test-preload-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const version = createHash('sha256').update(readFileSync(source)).update(process.arch).digest('hex').slice(0, 16);
  const library = join(folder, `${basename(source, '.c')}-${version}.so`);
  if (existsSync(library)) return { path: library };
  const unfinished = `${library}.${process.pid}`;
  const args = ['-O2', '-shared', '-fPIC', '-o', unfinished, source, '-ldl'];
  const { status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (status !== 0) return { reason: `${compiler} cannot build ${what}: ${stderr.trim().split('\n')[0]}` };
  renameSync(unfinished, library);
  return { path: library };
}
