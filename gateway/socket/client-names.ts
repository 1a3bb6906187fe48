/** Maximum names that are told; the rest are told together. */
const mostTold = 20;
const rest = 'other';

/**
 * How many open connections there are by the name and version that their clients gave in `hello`. There are never more
 * names than connections.
 */
export function createClientNames() {
  const open = new Map<string, number>();

  return {
    opened: (name: string): void => void open.set(name, (open.get(name) ?? 0) + 1),

    closed(name: string): void {
      const left = (open.get(name) ?? 0) - 1;
      if (left > 0) open.set(name, left);
      else open.delete(name);
    },

    /** The 20 most frequent names, most frequent first, then all others as `other`. */
    told(): { name: string; connections: number }[] {
      const most: { name: string; connections: number }[] = [];
      let others = 0;
      for (const [name, connections] of open) {
        others += connections;
        // One pass and no sorting: every connection may have a name of its own.
        if (name === rest || connections <= (most.length < mostTold ? 0 : most.at(-1)!.connections)) continue;
        const place = most.findIndex((one) => one.connections < connections);
        most.splice(place === -1 ? most.length : place, 0, { name, connections });
        if (most.length > mostTold) most.pop();
      }
      for (const { connections } of most) others -= connections;
      return others === 0 ? most : [...most, { name: rest, connections: others }];
    },
  };
}

export type ClientNames = ReturnType<typeof createClientNames>;
