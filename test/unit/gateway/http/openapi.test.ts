import { Hono } from 'hono';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../../../gateway/http/app.ts';
import type { HttpParts } from '../../../../gateway/http/context.ts';
import type { OpenApi } from '../../../../gateway/http/openapi.ts';
import { errorCodes, Refusal } from '../../../../shared/model/errors.ts';
import { loadConfig } from '../../../../shared/process/config.ts';
import { createMetrics } from '../../../../shared/process/metrics.ts';

/** The app with what is needed to be asked for its routes and its document: no route is called. */
const config = loadConfig({ AUTH_SECRET: 'x'.repeat(32), ALLOWED_ORIGINS: 'https://app.example.com' }, { auth: true });
const app = createApp(
  { config, metrics: createMetrics('test') } as HttpParts,
  () => ({ ready: true }),
  () => true,
  new Hono(),
);
const served = app.routes.filter(({ method, path }) => path.startsWith('/v1') && method !== 'ALL');
const document = (await (await app.request('/v1/openapi.json')).json()) as OpenApi;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    path,
    method,
    // oxlint-disable-next-line typescript/no-explicit-any
    operation: operation as Record<string, any>,
  })),
);

const inBraces = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}');

describe('openapi.json', () => {
  test('describes every route that is served, and no other', () => {
    const routes = new Set(served.map(({ method, path }) => `${method} ${inBraces(path)}`));
    expect(routes.size).toBeGreaterThan(15);
    expect(new Set(operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`))).toEqual(routes);
  });

  test('gives every operation a unique id and an answer', () => {
    const names = operations.map(({ operation }) => operation['operationId'] as string);
    expect(new Set(names).size).toBe(names.length);
    for (const { operation } of operations) {
      expect(operation['summary']).toMatch(/\.$/);
      expect(Object.keys(operation['responses'] as object).some((status) => Number(status) < 300)).toBe(true);
      for (const response of Object.values(operation['responses'] as object))
        expect(response).toHaveProperty('description');
    }
  });

  test('describes every parameter of a path', () => {
    for (const { path, operation } of operations) {
      const named = (operation['parameters'] ?? []) as {
        in: string;
        name: string;
        required: boolean;
        schema: object;
      }[];
      const inPath = named.filter((one) => one.in === 'path');
      expect(inPath.map(({ name }) => name)).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]));
      for (const one of inPath) expect(one.required).toBe(true);
      for (const one of named) expect([path, one.name, ...Object.keys(one.schema)].length).toBeGreaterThan(2);
    }
  });

  test('contains every schema that it refers to', () => {
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((found) => found[1]!);
    expect(new Set(references)).toEqual(
      new Set(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)),
    );
    for (const schema of Object.values(document.components.schemas)) expect(schema.properties).toBeDefined();
  });

  test('describes the required fields of a send', () => {
    const { schema } = operations.find(({ operation }) => operation['operationId'] === 'sendMessage')!.operation[
      'requestBody'
    ].content['application/json'];
    expect(schema.required.sort()).toEqual(['body', 'clientId', 'kind']);
    expect(schema.properties.clientId).toMatchObject({ type: 'string', pattern: '^[A-Za-z0-9_-]{1,64}$' });
    expect(schema.properties.body).not.toHaveProperty('type');
    expect(schema).not.toHaveProperty('additionalProperties');
  });

  test('lists the documented statuses', () => {
    const statuses = new Set(
      operations.flatMap(({ operation }) => Object.keys(operation['responses'] as object).map(Number)),
    );
    for (const code of errorCodes) expect(statuses).toContain(new Refusal(code, '').status);
  });
});

describe('the documentation page', () => {
  test('loads nothing from elsewhere', async () => {
    const page = await app.request('/v1/docs');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).toContain("fetch('openapi.json')");
    expect(html).not.toMatch(/(src|href)="(https?:)?\/\//);
    expect(html).not.toContain('innerHTML');
  });
});
