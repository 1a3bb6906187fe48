/** Draws once for all changes of a turn. Not with the next frame: a hidden page has none. */
export function createRedraw(draw: () => void): () => void {
  let planned = false;
  return () => {
    if (planned) return;
    planned = true;
    queueMicrotask(() => {
      planned = false;
      draw();
    });
  };
}
