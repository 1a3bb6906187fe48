import { createLink, type Frame, type Link } from 'restante-client/link';

/** Compiled against the installed package by client-package.test.ts. */
const link: Link = createLink({
  url: (attempt) => (attempt % 2 === 0 ? 'wss://one.example.com' : 'wss://two.example.com'),
  getToken: ({ reason, signal }) => fetch(`/token?${reason}`, { signal }).then((answer) => answer.text()),
  device: 'phone',
  webSocket: WebSocket,
  events: { frame: (frame: Frame) => console.log(frame.type) },
});
link.connect();
