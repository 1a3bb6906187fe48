import { describe, expect, test } from 'vitest';
// @ts-expect-error The launcher is plain JavaScript for older Node versions; its types are checked on their own.
import { parseCounts, parseProcfile, planProcesses } from '../../../../tools/launcher/procfile.mjs';

const names = ['web', 'fanout', 'jobs'];

describe('the Procfile', () => {
  test('has one command per name; comments and empty lines are left out', () => {
    const text = '# gateways\nweb: node gateway/main.ts\n\n  jobs:   node  workers/jobs-main.ts --all  \n';
    expect(parseProcfile(text)).toEqual([
      { name: 'web', command: ['node', 'gateway/main.ts'] },
      { name: 'jobs', command: ['node', 'workers/jobs-main.ts', '--all'] },
    ]);
  });

  test.each([
    ['web node', 'line 1 is not "name: command"'],
    ['web: a\nbad name: b', 'line 2 is not "name: command"'],
    ['web:', 'line 1 is not "name: command"'],
    ['web: a\nweb: b', 'line 2 names "web" a second time'],
    ['# nothing', 'no lines'],
  ])('refuses %j', (text, fault) => {
    expect(() => parseProcfile(text)).toThrow(fault);
  });
});

describe('counts', () => {
  test('are one for each line unless an argument says otherwise, also none', () => {
    const counts = parseCounts(['fanout=2', 'jobs=0'], names);
    expect([...counts]).toEqual([
      ['web', 1],
      ['fanout', 2],
      ['jobs', 0],
    ]);
  });

  test.each(['mailer=1', 'fanout', 'fanout=', 'fanout=-1', 'fanout=1.5', 'fanout=two', 'fanout=101', 'fanout=1=1'])(
    'refuse %s and list the lines',
    (arg) => {
      expect(() => parseCounts([arg], names)).toThrow(/the lines of the Procfile are: web, fanout, jobs/);
      expect(() => parseCounts([arg], names)).toThrow(`"${arg}"`);
    },
  );

  test('name every fault at once', () => {
    expect(() => parseCounts(['mailer=1', 'web=x'], names)).toThrow(/"mailer=1".*\n"web=x"/);
  });
});

describe('the plan', () => {
  const lines = parseProcfile('web: node a\nfanout: node b\njobs: node c');
  const ports = (args: string[], base: number) =>
    planProcesses(lines, parseCounts(args, names), base).map(({ name, port }: { name: string; port: number }) => [
      name,
      port,
    ]);

  test('gives instance i of line k the port base + 100 k + i', () => {
    expect(ports(['fanout=2', 'web=2'], 8080)).toEqual([
      ['web.1', 8080],
      ['web.2', 8081],
      ['fanout.1', 8180],
      ['fanout.2', 8181],
      ['jobs.1', 8280],
    ]);
  });

  test('keeps the ports of a line when another line has no instance', () => {
    expect(ports(['fanout=0'], 8080)).toEqual([
      ['web.1', 8080],
      ['jobs.1', 8280],
    ]);
  });

  test('gives everybody a free port when the base is 0', () => {
    expect(ports([], 0)).toEqual([
      ['web.1', 0],
      ['fanout.1', 0],
      ['jobs.1', 0],
    ]);
  });

  test('refuses ports that do not exist, and nothing to start', () => {
    expect(() => ports([], 65_500)).toThrow('fanout.1 would get port 65600');
    expect(() => ports(['web=0', 'fanout=0', 'jobs=0'], 8080)).toThrow('every count is 0');
  });
});
