import { serveBare } from '../bare-server.ts';
import { welcomeOf } from './frames.ts';

/** A server that welcomes every device and then says nothing: idle connections cost it nothing that is measured. */
serveBare((text, from) => {
  if (text.startsWith('{"type":"hello"')) from.send(welcomeOf(text));
});
