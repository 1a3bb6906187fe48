import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { groupNames, ofEachGroup } from '../../../../shared/model/groups.ts';

const folder = new URL('../../../../shared/redis/lua/', import.meta.url);
const lua = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const listOf = (name: string): string[] =>
  [
    ...new RegExp(`^local ${name} = \\{(.*)\\}$`, 'm')
      .exec(lua('consumer-groups.include.lua'))![1]!
      .matchAll(/'([^']+)'/g),
  ].map(([, word]) => word!);

describe('the consumer groups', () => {
  test('are the same in the scripts, in the same order', () => {
    expect(listOf('consumerGroups')).toEqual(groupNames);
    expect(listOf('settledFields')).toEqual(groupNames.map((name) => `settled:${name}`));
  });

  test('are named together nowhere else in the scripts', () => {
    const together = new RegExp(groupNames.map((name) => `'(settled:)?${name}'`).join(', '));
    expect(readdirSync(folder).filter((name) => together.test(lua(name)))).toEqual(['consumer-groups.include.lua']);
  });

  test('begin with the one whose backlog throttles sends', () => {
    expect(groupNames[0]).toBe('inbox');
  });

  test('each get a value', () => {
    expect(ofEachGroup((name, index) => `${index} ${name}`)).toEqual({ inbox: '0 inbox', history: '1 history' });
  });
});
