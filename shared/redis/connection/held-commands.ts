import type { Redis } from 'ioredis';

/** The command was not sent, because this run of Redis has not been compared with history yet. */
export class HeldCommand extends Error {
  override readonly name = 'HeldCommand';
}

/** Commands that set up a connection. They neither read nor write our keys. */
const passing = new Set(['auth', 'client', 'hello', 'info', 'ping', 'quit', 'script', 'select']);

/**
 * Holds back the commands of a connection. From the moment it breaks until `release`, each is rejected at once, as it
 * is while Redis is away. A new connection may lead to a Redis that came back wiped or older. The first write into it,
 * such as a message, a position or a read mark, would give a number again, or hide that something is missing. So this
 * is decided here for all writers, not by each of them.
 *
 * `unheld` is the same connection, for the comparison. Use it for commands only: it emits no events.
 */
export function holdCommands(redis: Redis) {
  const send = redis.sendCommand.bind(redis);
  let isHeld = true;
  let connection = 0;
  const held: typeof redis.sendCommand = (command, stream) => {
    // A pipeline passes as a whole or not at all: the library writes it once it has seen all of its commands, and takes
    // the next replies for them. If one were missing, every later reply would go to the wrong command.
    const isPiped = stream !== undefined;
    if (!isHeld || (!isPiped && passing.has(command.name))) return send(command, stream);
    command.reject(new HeldCommand('Redis is yet to be compared with history'));
    return command.promise;
  };
  redis.sendCommand = held;
  redis.on('close', () => {
    isHeld = true;
    connection += 1;
  });
  return {
    unheld: Object.create(redis, { sendCommand: { value: send } }) as Redis,
    /** Changes whenever the connection breaks. */
    get connection(): number {
      return connection;
    },
    get isHeld(): boolean {
      return isHeld;
    },
    /** Lets commands pass, if the connection is still this one. Answers whether it is. */
    release(compared: number): boolean {
      if (compared !== connection) return false;
      isHeld = false;
      return true;
    },
  };
}
