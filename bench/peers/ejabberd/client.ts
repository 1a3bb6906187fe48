/**
 * A user of XMPP: it logs in and becomes present. Stream management (XEP-0198) acknowledges in both
 * directions: without it, XMPP confirms no message.
 */
import { messageBody, readStamp, type Stamp } from '../../frames.ts';
import type { ConnectPeerUser } from '../peer.ts';
import { openUserTcp } from '../user-tcp.ts';

const host = 'localhost';
const password = 'secret';
const management = "xmlns='urn:xmpp:sm:3'";
const header =
  `<?xml version='1.0'?><stream:stream to='${host}' version='1.0' xmlns='jabber:client' ` +
  "xmlns:stream='http://etherx.jabber.org/streams'>";
const logIn = (user: string): string =>
  "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
  `${Buffer.from(`\0${user}\0${password}`).toString('base64')}</auth>`;
const bind = "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const enable = `<enable ${management} resume='true'/>`;
const requestAnswer = `<r ${management}/>`;

/** Calls `take` for each complete element below the stream; returns how many characters they have. */
function eachElement(text: string, take: (name: string, element: string) => void): number {
  let used = 0;
  for (;;) {
    const start = text.indexOf('<', used);
    const headEnd = start < 0 ? -1 : text.indexOf('>', start);
    if (headEnd < 0) return used;
    const name = /^[^\s/>]+/.exec(text.slice(start + 1, headEnd))?.[0] ?? '';
    let end = headEnd + 1;
    const isWhole = name === 'stream:stream' || '?/'.includes(text[headEnd - 1]!) || '?/'.includes(name[0] ?? '/');
    if (!isWhole) {
      const close = `</${name}>`;
      const closeAt = text.indexOf(close, end);
      if (closeAt < 0) return used;
      end = closeAt + close.length;
    }
    take(name, text.slice(start, end));
    used = end;
  }
}

export const connectXmpp: ConnectPeerUser = async ({ port, user, partner, onDelivered, onAccepted, onLost }) => {
  const ready = Promise.withResolvers<void>();
  /** Answers of the server to the steps of a login, in order, and what the user says next. */
  const steps: { answer: RegExp; next: string }[] = [
    { answer: /^<stream:features/, next: logIn(user) },
    { answer: /^<success/, next: header },
    { answer: /^<stream:features/, next: bind },
    { answer: /^<iq.*type='result'/s, next: enable },
    { answer: /^<enabled/, next: '<presence/>' },
    { answer: /^<presence/, next: '' },
  ];
  /** Messages that the server has not confirmed, in order. Stanzas that were handled before them: the presence. */
  const unconfirmed: number[] = [];
  let confirmed = 1;
  let received = 0;

  const confirm = (element: string): void => {
    const handled = Number(/h='(\d+)'/.exec(element)?.[1]);
    for (; confirmed < handled; confirmed += 1) onAccepted(unconfirmed.shift()!);
  };

  /** What is to be answered. */
  const take = (name: string, element: string, stamps: Stamp[]): string => {
    if (['message', 'presence', 'iq'].includes(name) && steps.length < 2) received += 1;
    if (name === 'r') return `<a ${management} h='${received}'/>`;
    if (name === 'a') confirm(element);
    else if (name === 'message') {
      const stamp = readStamp(element);
      if (stamp) stamps.push(stamp);
    } else if (name === 'stream:error') throw new Error(`the server said ${element}`);
    else if (steps.length > 0 && !['?xml', 'stream:stream'].includes(name)) {
      const { answer, next } = steps.shift()!;
      if (!answer.test(element)) throw new Error(`the server answered ${element}`);
      if (steps.length === 0) ready.resolve();
      return next;
    }
    return '';
  };

  const connection = await openUserTcp({
    ...{ port, user, ready, onDelivered, onLost },
    read: (text, stamps) => {
      let out = '';
      const used = eachElement(text, (name, element) => (out += take(name, element, stamps)));
      return { used, out };
    },
  });
  connection.write(header);
  await ready.promise;
  return {
    send: (stamps) => {
      let out = '';
      for (const { number, sentUs } of stamps) {
        unconfirmed.push(number);
        out +=
          `<message to='${partner}@${host}' type='chat' id='${number}'>` +
          `<body>${messageBody(number, sentUs)}</body></message>`;
      }
      connection.write(out + requestAnswer);
    },
    close: connection.close,
  };
};
