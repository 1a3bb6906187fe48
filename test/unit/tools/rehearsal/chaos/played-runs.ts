import type { Recorded } from '../../../../../tools/rehearsal/chaos/recording.ts';
import { PlayedRun } from './played-run.ts';

/** The runs into which the tests of the checker plant their faults. */

/** A run with everything but a loss: repeats, changes of members, gaps, a large group, connections that break. */
export function cleanRun(): Recorded[] {
  const run = new PlayedRun();
  run.createGroup('team', ['alice', 'bob']);
  run.createGroup('square', ['alice', 'bob', 'carol', 'dave']);
  for (const user of ['alice', 'bob', 'carol', 'dave']) run.connect(user, 'phone');
  run.connect('bob', 'laptop');
  for (let number = 1; number <= 4; number++) run.send('alice', 'phone', { to: 'bob' }, `direct ${number}`);
  run.receive('bob', 'phone');
  run.send('bob', 'phone', { conversation: 'team' }, 'before carol', { repeat: true });
  run.change('team', 'carol', 'join');
  for (let number = 1; number <= 5; number++)
    run.send('bob', 'phone', { conversation: 'team' }, `to the team ${number}`);
  run.amend('bob', 'phone', 'team', 1, 'edit', 'not for carol');
  run.amend('bob', 'phone', 'team', 3, 'recall', '');
  run.amend('bob', 'phone', 'team', 4, 'edit', 'to the team, better');
  run.amend('bob', 'phone', 'team', 4, 'edit', 'to the team, best');
  run.receive('carol', 'phone');
  run.cut('carol', 'phone');
  run.send('alice', 'phone', { conversation: 'team' }, 'while carol is away', { level: 'stored' });
  run.send('alice', 'phone', { conversation: 'team' }, 'as well');
  run.cutInbox('carol', 1);
  run.connect('carol', 'phone');
  run.cut('carol', 'phone');
  run.send('alice', 'phone', { conversation: 'team' }, 'once more while she is away');
  run.cutInbox('carol');
  run.connect('carol', 'phone');
  run.change('team', 'carol', 'leave');
  run.send('alice', 'phone', { conversation: 'team' }, 'after carol');
  run.amend('bob', 'phone', 'team', 5, 'edit', 'after carol as well');
  run.send('dave', 'phone', { conversation: 'square' }, 'hear, hear');
  run.cut('alice', 'phone');
  run.send('dave', 'phone', { conversation: 'square' }, 'missed by alice');
  run.announce('alice', 'square', 1);
  run.connect('alice', 'phone');
  run.receive('alice', 'phone');
  return run.end();
}

/** A run in which two accepted messages were lost; their senders were told, one message was sent again. */
export function lossyRun(): Recorded[] {
  const run = new PlayedRun();
  run.createGroup('team', ['alice', 'bob']);
  for (const user of ['alice', 'bob']) run.connect(user, 'phone');
  for (let number = 1; number <= 3; number++) run.send('alice', 'phone', { conversation: 'team' }, `kept ${number}`);
  run.receive('bob', 'phone');
  run.send('alice', 'phone', { conversation: 'team' }, 'lost, seen by bob');
  run.send('alice', 'phone', { conversation: 'team' }, 'lost as well');
  run.lose('team', 2);
  for (const user of ['alice', 'bob']) run.connect(user, 'phone');
  run.send('bob', 'phone', { conversation: 'team' }, 'after the loss');
  run.receive('alice', 'phone');
  return run.end();
}
