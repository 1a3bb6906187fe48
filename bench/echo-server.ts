import { serveBare } from './bare-server.ts';

/**
 * The baseline for Restante: every frame is parsed as JSON and sent back to its sender as JSON. It stores nothing and
 * orders nothing: a bound, not a rival.
 */
serveBare((text, from) => from.send(JSON.stringify(JSON.parse(text))));
