import { serveBare } from './bare-server.ts';

/**
 * What Restante is compared with: every frame parsed as JSON and sent back to its sender as JSON. It stores nothing and
 * orders nothing: a bound, not a rival.
 */
serveBare((text, from) => from.send(JSON.stringify(JSON.parse(text))));
