/**
 * A script for pages: `whenPainted(selector, least)` resolves with `performance.now()` right after the first frame that
 * shows so many elements of the selector. `startedAt` is when the chat app first put something into its page. A text,
 * because the types of pages are not those of Node.
 */
export const paintProbe = `
globalThis.whenPainted = (selector, least = 1) =>
  new Promise((resolve) => {
    const look = () => {
      if (document.querySelectorAll(selector).length < least) return;
      observer.disconnect();
      requestAnimationFrame(() => {
        // A task that is posted in a frame runs once that frame is drawn.
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(performance.now());
        port2.postMessage(null);
      });
    };
    const observer = new MutationObserver(look);
    observer.observe(document, { childList: true, subtree: true, attributes: true });
    look();
  });
new MutationObserver((_, observer) => {
  if (document.querySelector('#screen > *') === null) return;
  observer.disconnect();
  globalThis.startedAt = performance.now();
}).observe(document, { childList: true, subtree: true });
`;
