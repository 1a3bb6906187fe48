/**
 * The consumer groups of every message stream. Each reads all entries on its own, and an entry is trimmed once all of
 * them have settled it. A new group is an entry here and in consumer-groups.include.lua, and a process that runs its
 * handler (workers/stream/run-group.ts). Each group has one consumer, of its own name, in each partition.
 *
 * Order matters: accept-messages.lua reports the backlog of the first group, by which the gateways throttle sends.
 */
export const consumerGroups = [
  { name: 'inbox', process: 'fanout', writes: 'the inboxes of members, and pushes to gateways' },
  { name: 'history', process: 'archive', writes: 'blocks and rows of the history store' },
] as const;

export type GroupName = (typeof consumerGroups)[number]['name'];

export const groupNames: readonly GroupName[] = consumerGroups.map(({ name }) => name);

/** A value for each group. */
export const ofEachGroup = <Value>(valueOf: (group: GroupName, index: number) => Value): Record<GroupName, Value> =>
  Object.fromEntries(groupNames.map((name, index) => [name, valueOf(name, index)])) as Record<GroupName, Value>;
