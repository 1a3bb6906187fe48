import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { settings } from '../../../shared/process/settings.ts';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { parseProcfile } from '../../../tools/launcher/procfile.mjs';

const at = (path: string): URL => new URL(`../../../${path}`, import.meta.url);
const read = (path: string): string => readFileSync(at(path), 'utf8');
const lines = parseProcfile(read('Procfile')) as { name: string; command: string[] }[];
/** A process ends within this time of SIGTERM (s); whoever runs it has to wait longer before it kills. */
const endsWithinSeconds = 8;

describe.each(lines)('the Procfile line $name', ({ name, command }) => {
  test('has a systemd unit that runs it, and gives it time to end', () => {
    const unit = read(`deploy/systemd/restante-${name}@.service`);
    const all = (key: string): string[] =>
      [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map((match) => match[1]!);
    const [program, ...args] = all('ExecStart')[0]!.split(' ');
    expect(all('ExecStart')).toHaveLength(1);
    expect([program!.replace(/^.*\//, ''), ...args]).toEqual(command);
    expect(all('Restart')).toEqual(['always']);
    expect(all('KillSignal')).toEqual(['SIGTERM']);
    expect(Number(all('TimeoutStopSec')[0])).toBeGreaterThan(endsWithinSeconds);
    expect(all('EnvironmentFile')).toEqual(['/etc/restante/env']);
    expect(all('Environment')[0]).toContain('PORT=%i');
    expect(all('NoNewPrivileges')).toEqual(['yes']);
    // V8 writes code while it runs.
    expect(all('MemoryDenyWriteExecute')).toEqual([]);
    // Every line is a section, a setting, a comment or empty: systemd passes over anything else in silence.
    expect(unit.split('\n').filter((line) => !/^(\[(Unit|Service|Install)\]|[A-Z]\w+=.*|#.*|)$/.test(line))).toEqual(
      [],
    );
  });

  test('has a Kubernetes Deployment that runs it, asks its health and gives it time to end', () => {
    const [deployment] = documents(`deploy/kubernetes/${name}.yaml`);
    const value = (key: string): string[] =>
      [...deployment!.matchAll(new RegExp(`^\\s*(?:- )?${key}: (.+)$`, 'gm'))].map((match) => match[1]!);
    expect(value('kind')).toEqual(['Deployment']);
    expect(value('command').map((text) => JSON.parse(text) as unknown)).toEqual([command]);
    expect(Number(value('terminationGracePeriodSeconds')[0])).toBeGreaterThan(endsWithinSeconds);
    expect(deployment).toMatch(/readinessProbe:\n\s+httpGet: \{path: \/readyz, port: http\}/);
    expect(deployment).toMatch(/livenessProbe:\n\s+httpGet: \{path: \/livez, port: http\}/);
    // What selects pods must be what pods are labelled with.
    const labels = `{app.kubernetes.io/name: restante, app.kubernetes.io/component: ${name}}`;
    expect(new Set([...value('matchLabels'), ...value('labels')])).toEqual(new Set([labels]));
    expect(read('deploy/kubernetes/kustomization.yaml')).toContain(`  - ${name}.yaml\n`);
  });
});

/**
 * The YAML documents of a file. There is no parser among the dependencies: what the files need to hold is looked for as
 * text.
 */
function documents(path: string): string[] {
  return read(path).split(/^---$/m);
}

describe('files for Kubernetes', () => {
  const names = readdirSync(at('deploy/kubernetes')).map((name) => `deploy/kubernetes/${name}`);

  test.each(names)('%s holds objects, in steps of two spaces, with every bracket and quote closed', (path) => {
    for (const document of documents(path)) {
      expect(document).toMatch(/^apiVersion: \S+$/m);
      expect(document).toMatch(/^kind: \w+$/m);
    }
    const broken = read(path)
      .split('\n')
      .filter((line) => {
        if (/^\s*#/.test(line) || line === '') return false;
        const indented = / *$/.exec(/^\s*/.exec(line)![0])![0].length;
        const count = (pattern: RegExp): number => line.match(pattern)?.length ?? 0;
        const closed = count(/\{/g) === count(/\}/g) && count(/\[/g) === count(/\]/g) && count(/"/g) % 2 === 0;
        return line.includes('\t') || indented % 2 !== 0 || !closed || !/^ *(- )?(\S+:( .+)?|\{.*\}|\S+)$/.test(line);
      });
    expect(broken).toEqual([]);
  });

  test('what the kustomization names is there', () => {
    const named = [...read('deploy/kubernetes/kustomization.yaml').matchAll(/^  (?:# )?- (\S+\.yaml)$/gm)].map(
      (match) => match[1]!,
    );
    expect(named.length).toBeGreaterThan(lines.length);
    expect(named.filter((name) => !existsSync(at(`deploy/kubernetes/${name}`)))).toEqual([]);
  });
});

describe('the network policies of Kubernetes', () => {
  const policies = documents('deploy/kubernetes/network-policy.yaml');
  const named = (name: string): string => policies.find((policy) => policy.includes(`  name: ${name}\n`)) ?? '';

  test('select every line of the Procfile, and are applied', () => {
    expect(named('restante-web')).toContain('app.kubernetes.io/component: web}');
    const workers = /component, operator: In, values: \[(.*)\]\}/.exec(named('restante-workers'))![1]!.split(', ');
    expect(['web', ...workers]).toEqual(lines.map(({ name }) => name));
    expect(named('restante-stores')).toMatch(
      /matchLabels: \{app\.kubernetes\.io\/name: restante\}\n  policyTypes: \[Egress\]/,
    );
    expect(read('deploy/kubernetes/kustomization.yaml')).toContain('  - network-policy.yaml\n');
  });

  test('let nobody but what collects metrics to the workers', () => {
    expect(named('restante-workers').match(/^    - /gm)).toEqual(['    - ']);
    expect(named('restante-workers')).toMatch(/ingress:\n    - from:\n        - namespaceSelector:/);
  });
});

describe('the compose file', () => {
  const text = read('docker-compose.yml');
  const blocks = new Map(
    [
      ...text
        .slice(text.indexOf('\nservices:\n'))
        .split(/^networks:$/m)[0]!
        .matchAll(/^  (\w+):\n((?:    .*\n|\n|  #.*\n)+)/gm),
    ].map((match) => [match[1]!, match[2]!]),
  );
  const hardened = /x-hardened: &hardened\n((?:  .*\n)+)/.exec(text)![1]!;
  const process = /x-process: &process\n((?:  .*\n)+)/.exec(text)![1]!;

  test('has a service for each line, and hardens all services', () => {
    expect([...blocks.keys()]).toEqual([...lines.map(({ name }) => name), 'redis', 'mongo', 'prometheus', 'grafana']);
    for (const setting of ['read_only: true', 'cap_drop: [ALL]', 'security_opt: ["no-new-privileges:true"]'])
      expect(hardened).toContain(setting);
    expect(process).toContain('<<: *hardened');
    for (const [name, block] of blocks) {
      const own = lines.some((line) => line.name === name);
      expect(block).toContain(own ? '<<: *process' : '<<: *hardened');
      for (const limit of ['mem_limit', 'pids_limit'])
        expect(own ? process : block).toMatch(new RegExp(`^ +${limit}: `, 'm'));
      // Nothing takes back what the anchor says.
      expect(block).not.toMatch(/privileged|cap_add|read_only: false/);
    }
  });

  test('names every image by its version', () => {
    const images = [...text.matchAll(/^ +image: (\S+)$/gm)].map((match) => match[1]!);
    expect(images).toHaveLength(5);
    for (const image of images) expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    expect(images).toContain(`restante:${(JSON.parse(read('package.json')) as { version: string }).version}`);
  });

  test('keeps the stores off the outside', () => {
    for (const store of ['redis', 'mongo']) {
      expect(blocks.get(store)).toContain('networks: [stores]');
      expect(blocks.get(store)).not.toContain('ports:');
    }
    expect(text).toMatch(/\n  stores:\n    internal: true\n/);
  });
});

describe('settings in the files', () => {
  test.each([
    ['deploy/kubernetes/config.yaml', /^  ([A-Z_]+): "?([^"\n]*)"?$/gm],
    ['deploy/systemd/env.example', /^#?([A-Z_]+)=(.*)$/gm],
    ['docker-compose.yml', /^    ([A-Z_]+): \$\{[A-Z_]+:-(.+)\}$/gm],
  ])('those of %s exist and take their value', (path, pattern) => {
    const given = [...read(path).matchAll(pattern)].map((match) => [match[1]!, match[2]!] as const);
    expect(given.length).toBeGreaterThan(3);
    const refused = given.filter(
      ([name, value]) => !settings[name as keyof typeof settings]?.parse.safeParse(value).success,
    );
    expect(refused).toEqual([]);
  });

  test('Kubernetes keeps history in a server, not in a file of one host', () => {
    expect(read('deploy/kubernetes/config.yaml')).toMatch(/^  HISTORY_URL: mongodb:/m);
  });
});
