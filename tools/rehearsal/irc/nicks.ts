/**
 * Maps every nick to a user id of the form `^[A-Za-z0-9_-]{1,64}$`. Different nicks get different ids: `foo|bar` and
 * `foo-bar` are different people. One map always gives a nick the same id. `prefix` keeps the users of one rehearsal
 * apart from those of another on the same cluster.
 */
export function createNickMap(prefix: string): (nick: string) => string {
  const ids = new Map<string, string>();
  const taken = new Set<string>();
  return (nick) => {
    const known = ids.get(nick);
    if (known !== undefined) return known;
    const readable = `${prefix}${nick.replace(/[^A-Za-z0-9_-]/g, '-')}`;
    let id = readable.slice(0, 64);
    for (let count = 2; taken.has(id); count++) {
      const suffix = `-${count}`;
      id = readable.slice(0, 64 - suffix.length) + suffix;
    }
    ids.set(nick, id);
    taken.add(id);
    return id;
  };
}
