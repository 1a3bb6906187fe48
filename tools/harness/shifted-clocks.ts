import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Wall clocks that tests can shift. A process started with a clock's `env` reads the machine's time plus the current
 * shift. Its monotonic clock is untouched. Needs Linux and a C compiler; otherwise `reason` names what is missing:
 *
 *   const clocks = findClocks();
 *   if ('reason' in clocks) return skip(clocks.reason);
 *   const clock = clocks.create();
 *   const redis = await startRedis(clock.env);
 *   clock.shift(3 * hourMs);
 */
export type ShiftedClock = {
  /** The environment for the processes that use this clock. */
  readonly env: Record<string, string>;
  /** Sets the offset from the machine's time, positive or negative (ms). Takes effect at once. */
  shift(ms: number): void;
  /** The current time by this clock (ms). */
  now(): number;
  /** Removes it. Call this after the processes that use it have ended. */
  remove(): void;
};

export type Clocks = { create(): ShiftedClock } | { readonly reason: string };

const source = fileURLToPath(new URL('./clock-shift.c', import.meta.url));

export function findClocks(): Clocks {
  if (process.platform !== 'linux') return { reason: 'clocks of single processes can be shifted on Linux only' };
  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined)
    return { reason: 'there is no C compiler (cc, gcc or clang) to build the shifted clock with' };
  const built = build(compiler);
  return 'reason' in built ? built : { create: () => createClock(built.path) };
}

/**
 * Builds the library unless it was already built from the same source. It gets its final name last, so that nobody
 * loads half of it.
 */
function build(compiler: string): { path: string } | { reason: string } {
  const folder = join(tmpdir(), `restante-test-clocks-${process.getuid?.() ?? 0}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const library = join(
    folder,
    `${createHash('sha256').update(readFileSync(source)).update(process.arch).digest('hex').slice(0, 16)}.so`,
  );
  if (existsSync(library)) return { path: library };
  const unfinished = `${library}.${process.pid}`;
  const { status, stderr } = spawnSync(compiler, ['-O2', '-shared', '-fPIC', '-o', unfinished, source, '-ldl'], {
    encoding: 'utf8',
  });
  if (status !== 0) return { reason: `${compiler} cannot build the shifted clock: ${stderr.trim().split('\n')[0]}` };
  renameSync(unfinished, library);
  return { path: library };
}

function createClock(library: string): ShiftedClock {
  const folder = mkdtempSync(join(tmpdir(), 'restante-test-clock-'));
  const path = join(folder, 'shift');
  const file = openSync(path, 'w');
  const number = Buffer.alloc(8);
  let shiftedMs = 0;
  const clock: ShiftedClock = {
    env: { LD_PRELOAD: library, CLOCK_SHIFT: path },
    shift(ms) {
      shiftedMs = ms;
      new BigInt64Array(number.buffer, number.byteOffset, 1)[0] = BigInt(ms);
      writeSync(file, number, 0, 8, 0);
    },
    now: () => Date.now() + shiftedMs,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  clock.shift(0);
  return clock;
}
