import { StandaloneConnector } from 'ioredis/built/connectors/index.js';
import { type Logger, reason, seldom } from '../../process/log.ts';
import type { RunConnector } from './run.ts';

/**
 * Errors of a node that takes no writes: it has lost its role, is loading its data, or has no primary itself. A node
 * that loses its role ends every blocking command with UNBLOCKED.
 */
const notPrimary = /^(READONLY|LOADING|MASTERDOWN|UNBLOCKED)\b/;

type Stream = Awaited<ReturnType<StandaloneConnector['connect']>>;

/**
 * Keeps every connection of a process at a primary. After a failover the address leads to another node, but open
 * connections stay at the old one: writes are refused, reads become stale, and a subscriber hears nothing, without an
 * error. So as soon as one connection finds that its node is no primary, all connections of the process are dropped and
 * made again. None is ready before its node has said that it is a primary. Commands in flight are rejected and, as
 * always, not sent again.
 *
 * Each connection also knows the run of its node (run.ts), from before it is ready until it closes.
 */
export function createPrimary(log: Logger) {
  /** Open connections, and the run that each leads to: '' until its node has said so. */
  const held = new Map<Stream, string>();
  const due = seldom(5000);
  const leaving: (() => void)[] = [];

  /** `demoted`: it said so itself, or refuses writes as a replica does. */
  function leave(why: string, demoted = true): void {
    if (held.size === 0) return;
    log.warn({ event: 'redis_primary_lost', reason: why, connections: held.size });
    if (demoted) for (const tell of leaving) tell();
    drop([...held.keys()]);
  }

  function drop(streams: Stream[]): void {
    for (const stream of streams) held.delete(stream);
    for (const stream of streams) stream.destroy();
  }

  /** The library makes one for each connection, and for each copy that BullMQ makes of one. */
  class PrimaryConnector extends StandaloneConnector implements RunConnector {
    private current: Stream | null = null;

    get run(): string {
      return this.current === null ? '' : (held.get(this.current) ?? '');
    }

    override async connect(...given: Parameters<StandaloneConnector['connect']>): Promise<Stream> {
      const stream = await super.connect(...given);
      held.set(stream, '');
      this.current = stream;
      stream.once('close', () => held.delete(stream));
      return stream;
    }

    /**
     * Asked with what the node says of itself, before the connection is ready; if false, it is made again after a
     * pause.
     */
    override check({ role, run_id }: { role?: string; run_id?: string }): boolean {
      if (role !== 'slave') {
        if (this.current !== null && held.has(this.current)) held.set(this.current, run_id ?? '');
        return true;
      }
      if (due('replica') !== null) log.warn({ event: 'redis_is_replica', reason: 'the address leads to a replica' });
      return false;
    }
  }

  return {
    leave,
    /** Called when the node has lost its role: if it gets it back, its data may be those of another node. */
    onLeave: (tell: () => void): void => void leaving.push(tell),
    /** Drops every connection that leads to another run than this one. Those that are being made stay. */
    keepOnly: (run: string): void =>
      drop([...held].filter(([, other]) => other !== '' && other !== run).map(([stream]) => stream)),
    options: {
      Connector: PrimaryConnector as unknown as new (options: unknown) => StandaloneConnector,
      /** Told of every error that the node answers with. The command is rejected with it. */
      reconnectOnError: (error: Error): false => {
        if (notPrimary.test(error.message)) leave(reason(error));
        return false;
      },
    },
    /**
     * The same for BullMQ, but a wait that was broken off goes on at the next node: it has taken nothing, and BullMQ
     * would rest for 5 s and then not look for up to 10 s. `2` is the library's word for that.
     */
    waitingOptions: {
      reconnectOnError: (error: Error): false | 2 => {
        if (notPrimary.test(error.message)) leave(reason(error));
        return error.message.startsWith('UNBLOCKED') ? 2 : false;
      },
    },
  };
}
