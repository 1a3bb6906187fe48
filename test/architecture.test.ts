import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** The import rules and the "only here" rules. What they are for is said in ARCHITECTURE.md. */

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = ['gateway', 'workers', 'single-process', 'shared', 'sdk', 'cli', 'tools', 'bench'];

const filesOf = (folder: string): string[] =>
  readdirSync(join(root, folder)).flatMap((name) => {
    if (name === 'dist' || name === 'node_modules') return [];
    const path = join(folder, name);
    if (statSync(join(root, path)).isDirectory()) return filesOf(path);
    return name.endsWith('.ts') || (folder.startsWith('tools') && name.endsWith('.mjs')) ? [path] : [];
  });

type Source = { path: string; text: string; imports: string[]; packages: string[] };

const sources: Source[] = folders.flatMap(filesOf).map((path) => {
  const text = readFileSync(join(root, path), 'utf8');
  const named = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s+'([^']+)'|(?:^|\n)\s*import\s+'([^']+)'|\bimport\('([^']+)'\)/g,
    ),
  ].map((match) => match[1] ?? match[2] ?? match[3]!);
  return {
    path,
    text,
    imports: named
      .filter((name) => name.startsWith('.'))
      .map((name) => relative(root, join(root, dirname(path), name))),
    packages: named.filter((name) => !name.startsWith('.')),
  };
});

const byPath = new Map(sources.map((source) => [source.path, source]));
const code = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '$1');

/** What each folder at the top level may import besides itself. */
const mayImport: Record<string, string[]> = {
  gateway: ['shared'],
  workers: ['shared'],
  'single-process': ['gateway', 'workers', 'shared'],
  shared: [],
  sdk: [],
  cli: ['sdk', 'shared', 'tools'],
  bench: ['tools/harness', 'tools/launcher', 'tools/progress', 'shared/search', 'sdk'],
  tools: ['sdk', 'shared'],
};

/**
 * Inside a top-level folder: a file imports its own part and parts of a lower rank. Parts of one rank do not know each
 * other. The first pattern that fits a path says where it belongs.
 */
type Rank = [rank: number, part: string, pattern: RegExp];
const ranksOf: Record<string, Rank[]> = {
  shared: [
    [0, 'timing', /^shared\/timing\//],
    [1, 'model', /^shared\/model\//],
    [1, 'sqlite', /^shared\/sqlite\//],
    [2, 'protocol', /^shared\/protocol\//],
    [2, 'process', /^shared\/process\//],
    [3, 'redis', /^shared\/redis\//],
    [3, 'history', /^shared\/history\//],
    [3, 'search', /^shared\/search\//],
    [4, 'jobs', /^shared\/jobs\//],
    [4, 'recovery', /^shared\/recovery\//],
    [5, 'startup', /^shared\/startup\//],
    [5, 'message trace', /^shared\/message-trace\//],
  ],
  gateway: [
    [0, 'error log', /^gateway\/error-log\.ts$/],
    [1, 'features', /^gateway\/features\.ts$/],
    [1, 'limits', /^gateway\/limits\//],
    [2, 'auth', /^gateway\/auth\//],
    [2, 'sends', /^gateway\/sends\//],
    [2, 'changes', /^gateway\/changes\//],
    [2, 'reads', /^gateway\/reads\//],
    [2, 'settings', /^gateway\/settings\//],
    [2, 'session', /^gateway\/session\//],
    [3, 'audit log', /^gateway\/audit-log\.ts$/],
    [3, 'receipts', /^gateway\/receipts\//],
    [3, 'socket', /^gateway\/socket\//],
    [4, 'push', /^gateway\/push\//],
    [5, 'presence', /^gateway\/presence\//],
    [5, 'typing', /^gateway\/typing\//],
    [6, 'frames', /^gateway\/frames\//],
    [6, 'http', /^gateway\/http\//],
    [7, 'admin', /^gateway\/admin\//],
    [8, 'composition root', /^gateway\/(wiring\/)?[\w-]+\.ts$/],
  ],
  workers: [
    [0, 'worker', /^workers\/(worker|dead-letter-writer)\.ts$/],
    [1, 'stream', /^workers\/stream\//],
    [1, 'jobs', /^workers\/jobs\//],
    [2, 'fanout', /^workers\/fanout\//],
    [2, 'archive', /^workers\/archive\//],
    [2, 'notifications', /^workers\/notifications\//],
    [2, 'compaction', /^workers\/compaction\//],
    [2, 'search', /^workers\/search\//],
    [3, 'composition root', /^workers\/[\w-]+\.ts$/],
  ],
  sdk: [
    [0, 'client', /^sdk\/src\//],
    [1, 'recipes', /^sdk\/recipes\//],
    [1, 'words', /^sdk\/app\/words\//],
    [2, 'model', /^sdk\/app\/model\//],
    [3, 'state', /^sdk\/app\/state\//],
    [4, 'view', /^sdk\/app\/view\//],
    [5, 'composition root', /^sdk\/app\/[\w-]+\.ts$/],
  ],
  tools: [
    [0, 'docgen', /^tools\/docgen\//],
    [0, 'test reports', /^tools\/test-reports\//],
    [0, 'harness', /^tools\/harness\//],
    [0, 'progress', /^tools\/progress\//],
    [1, 'launcher', /^tools\/launcher\//],
    [1, 'rehearsal', /^tools\/rehearsal\//],
  ],
};
function rankOf(path: string): [number, string] {
  const found = ranksOf[path.split('/')[0]!]!.find(([, , pattern]) => pattern.test(path));
  if (found === undefined) throw new Error(`${path} has no rank: say in test/architecture.test.ts where it belongs`);
  return [found[0], found[1]];
}

describe('import rules', () => {
  test('lets each top-level folder import only those below it', () => {
    const broken = sources.flatMap(({ path, imports }) => {
      const folder = path.split('/')[0]!;
      return imports
        .filter((target) => ![folder, ...mayImport[folder]!].some((allowed) => target.startsWith(`${allowed}/`)))
        .map((target) => `${path} -> ${target}`);
    });
    expect(broken).toEqual([]);
  });

  test.each(Object.keys(ranksOf))('lets files of %s import lower ranks only', (folder) => {
    const inside = (path: string): boolean => path.startsWith(`${folder}/`);
    const broken = sources
      .filter(({ path }) => inside(path))
      .flatMap(({ path, imports }) => {
        const [rank, part] = rankOf(path);
        return imports
          .filter(inside)
          .filter((target) => {
            const [otherRank, otherPart] = rankOf(target);
            return otherRank > rank || (otherRank === rank && otherPart !== part);
          })
          .map((target) => `${path} (${part}) -> ${target} (${rankOf(target)[1]})`);
      });
    expect(broken).toEqual([]);
  });

  test('has no cycles, those of types included', () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, way: string[]): void => {
      if (way.includes(path)) {
        cycles.push([...way.slice(way.indexOf(path)), path].join(' -> '));
        return;
      }
      if (done.has(path)) return;
      for (const next of byPath.get(path)?.imports ?? []) visit(next, [...way, path]);
      done.add(path);
    };
    for (const { path } of sources) visit(path, []);
    expect(cycles).toEqual([]);
  });

  test('keeps the checker of chaos runs apart from the clients and servers that it judges', () => {
    const checker = 'tools/rehearsal/chaos/checker/';
    const shared = sources
      .filter(({ path }) => path.startsWith(checker))
      .flatMap(({ path, imports, packages }) => [
        ...imports.filter((target) => !target.startsWith(checker) && !target.endsWith('/chaos/recording.ts')),
        ...packages.filter((name) => !name.startsWith('node:')).map((name) => `${path} -> ${name}`),
      ]);
    expect(shared).toEqual([]);
  });

  test('imports files that exist, with their ending', () => {
    const broken = sources.flatMap(({ path, imports }) =>
      imports.filter((target) => !byPath.has(target)).map((target) => `${path} -> ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('has no barrels, and nothing imports a composition root', () => {
    expect(sources.filter(({ path }) => /(^|\/)index\.ts$/.test(path)).map(({ path }) => path)).toEqual([]);
    const roots = sources.flatMap(({ path, imports }) =>
      imports.filter((target) => target.endsWith('main.ts')).map((target) => `${path} -> ${target}`),
    );
    expect(roots).toEqual([]);
  });
});

describe('the client package', () => {
  const reached = new Set<string>();
  const reach = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const target of byPath.get(path)?.imports ?? []) reach(target);
  };
  for (const { path } of sources) if (path.startsWith('sdk/src/entries/')) reach(path);

  test('has no file that none of its entries reaches', () => {
    expect(sources.filter(({ path }) => path.startsWith('sdk/src/') && !reached.has(path))).toEqual([]);
  });

  test('imports no package, and of Node only its SQLite', () => {
    const imported = [...reached].flatMap((path) => byPath.get(path)!.packages.map((name) => `${path} -> ${name}`));
    expect(imported.filter((one) => !one.endsWith(' -> node:sqlite'))).toEqual([]);
  });

  test('uses no global that only Node has', () => {
    const using = [...reached].filter((path) =>
      /\b(process|Buffer|global|setImmediate)\b[.(]/.test(code(byPath.get(path)!.text)),
    );
    expect(using).toEqual([]);
  });

  test('takes time from its clock and waits for it', () => {
    const asking = [...reached].filter((path) =>
      /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bset(Timeout|Interval)\(/.test(code(byPath.get(path)!.text)),
    );
    expect(asking.sort()).toEqual(['sdk/src/platform/clock.ts']);
  });
});

describe('only here', () => {
  const server = sources.filter(({ path }) => /^(gateway|workers|shared)\//.test(path));
  const where = (found: (source: Source) => boolean): string[] =>
    server
      .filter(found)
      .map(({ path }) => path)
      .sort();
  const importing = (name: string) =>
    where(({ packages }) => packages.some((one) => one === name || one.startsWith(`${name}/`)));

  test('reads the environment in composition roots', () => {
    expect(where(({ text }) => code(text).includes('process.env'))).toEqual([
      'gateway/main.ts',
      'workers/archive-main.ts',
      'workers/fanout-main.ts',
      'workers/jobs-main.ts',
      'workers/search-main.ts',
    ]);
  });

  test('asks clocks in clocks.ts, which says which one is for what', () => {
    expect(
      where(({ text }) =>
        /\bDate\.now\b|\bnew Date\(\)|\bperformance\.now\b|\bhrtime\b|\bprocess\.uptime\b/.test(code(text)),
      ),
    ).toEqual(['shared/timing/clocks.ts']);
  });

  test('names the pauses of retries in retry.ts', () => {
    expect(where(({ text }) => /Math\.random\(\) \*|\* Math\.random|\bdelay: \d|\bpause\(\d/.test(code(text)))).toEqual(
      ['gateway/presence/checks.ts', 'gateway/socket/drain.ts'],
    );
  });

  test('handles signals and exits in lifecycle.ts', () => {
    expect(where(({ text }) => /process\.(on|once|exit)\(/.test(code(text)))).toEqual(['shared/process/lifecycle.ts']);
  });

  test('uses the console nowhere', () => {
    expect(where(({ text }) => /\bconsole\./.test(code(text)))).toEqual([]);
  });

  test('names Redis keys in keys.ts', () => {
    expect(where(({ text }) => /[`'][^`'\n]*:\{(p\$|i\$|cluster|\$)/.test(code(text)))).toEqual([
      'shared/redis/keys.ts',
    ]);
  });

  test('makes frames in shared/protocol', () => {
    const byHand = /JSON\.stringify\(\s*\{\s*type:|\{\s*"type"\s*:/;
    expect(where(({ path, text }) => path.startsWith('gateway/') && byHand.test(code(text)))).toEqual([]);
  });

  test('opens Redis connections in connect.ts', () => {
    expect(where(({ text }) => /new (Redis|Cluster)\(/.test(code(text)))).toEqual([
      'shared/redis/connection/connect.ts',
    ]);
  });

  test('keeps each library to its place', () => {
    expect(importing('@opentelemetry/api')).toEqual(['shared/process/telemetry.ts']);
    expect(importing('bullmq')).toEqual(['shared/jobs/queues.ts']);
    expect(importing('@bull-board')).toEqual(['gateway/admin/queue-board.ts']);
    expect(importing('mongodb').filter((path) => !path.startsWith('shared/history/mongo/'))).toEqual([]);
    expect(importing('pino')).toEqual(['shared/process/log.ts']);
    expect(importing('ws')).toEqual(['gateway/socket/device-socket.ts', 'gateway/socket/upgrade.ts']);
    expect(importing('jose')).toEqual([
      'gateway/auth/authenticate.ts',
      'gateway/auth/dev-tokens.ts',
      'gateway/auth/key-server.ts',
    ]);
    for (const path of [...importing('hono'), ...importing('@hono/node-server')]) {
      expect(path).toMatch(/^gateway\/(admin\/|http\/|server\.ts|socket\/upgrade\.ts)|^shared\/process\/health\.ts$/);
    }
  });

  test('gives every Lua script a head that names its keys, arguments and replies', () => {
    const folder = join(root, 'shared/redis/lua');
    const broken = readdirSync(folder)
      .filter((name) => !name.endsWith('.include.lua'))
      .filter((name) => {
        const head = /^(--.*\n)+/.exec(readFileSync(join(folder, name), 'utf8'))?.[0] ?? '';
        return !/KEYS/.test(head) || !/Replies/.test(head) || !/ARGV|no arguments/i.test(head);
      });
    expect(broken).toEqual([]);
  });

  test('has every script that appends to a message stream ask whether the slot takes it', () => {
    const folder = join(root, 'shared/redis/lua');
    const unasked = readdirSync(folder)
      .filter((name) => !name.endsWith('.include.lua'))
      .filter((name) => {
        const text = readFileSync(join(folder, name), 'utf8');
        return /'XADD', messages|^-- @include append-message$/m.test(text) && !/^-- @include slot-state$/m.test(text);
      });
    expect(unasked).toEqual(['install-conversation.lua']);
  });

  test('loads every Lua script', () => {
    const scripts = readFileSync(join(root, 'shared/redis/scripts.ts'), 'utf8');
    const missing = readdirSync(join(root, 'shared/redis/lua'))
      .filter((name) => !name.endsWith('.include.lua'))
      .filter((name) => !scripts.includes(`'${name.replace('.lua', '')}'`));
    expect(missing).toEqual([]);
  });
});
