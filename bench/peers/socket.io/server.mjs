/**
 * Messages between users, as the documentation of Socket.IO does it: a room for each user, an acknowledgement for each
 * message, and the Redis Streams adapter, so that there may be several servers.
 *
 * With `DATABASE` also what its tutorial adds in the steps "Handling disconnections", "Server delivery" and "Client
 * delivery": connection state recovery, a row for each message, and a unique offset by which a message that is sent
 * again is known. The row's number goes to the recipient, who names it after a reconnect. The file has a write-ahead
 * log: with SQLite's defaults every message would wait for the disk.
 */
import { DatabaseSync } from 'node:sqlite';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';

const { PORT, REDIS_URL, DATABASE } = process.env;

/** @returns {((to: string, body: string, offset: string) => number | undefined)} the number of the new row */
function openMessages(path) {
  const database = new DatabaseSync(path);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  database.exec(
    'CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, recipient TEXT, client_offset TEXT UNIQUE, ' +
      'content TEXT)',
  );
  const insert = database.prepare(
    'INSERT INTO messages (recipient, client_offset, content) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
  );
  return (to, body, offset) => {
    const { changes, lastInsertRowid } = insert.run(to, offset, body);
    return changes === 0 ? undefined : Number(lastInsertRowid);
  };
}

const store = DATABASE === undefined ? undefined : openMessages(DATABASE);
const io = new Server({
  adapter: createAdapter(new Redis(REDIS_URL)),
  ...(store === undefined ? {} : { connectionStateRecovery: {} }),
});

io.on('connection', (socket) => {
  const { user } = socket.handshake.auth;
  void socket.join(user);
  socket.on('send', (to, body, number, accepted) => {
    if (store === undefined) io.to(to).emit('message', body);
    else {
      const row = store(to, body, `${socket.id}-${number}`);
      if (row !== undefined) io.to(to).emit('message', body, row);
    }
    accepted();
  });
});

io.listen(Number(PORT));
