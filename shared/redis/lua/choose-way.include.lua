-- For scripts that give a message of a group its seq. Decides the route of the message and writes it into the entry, so
-- that a repeated batch takes the same route.
--
-- A conversation's field `large` is the seq since which its messages have no inbox entries (0 = since its
-- creation). The field is absent while they have them. The route ends the entry's routing (entry.ts), after a space:
--   (empty)  to the inboxes; prev is the seq before it that went there
--   grown    to the inboxes, as the last one before the group is large; it tells each member so
--   large    to no inbox; prev is the seq of the last one that went there
--   shrunk   to the inboxes, as the first one after the group was large; prev as for `large`, so that everything
--            between becomes a gap
-- Returns prev, the route, and the new value of `large`.
local function chooseWay(key, large, manyMembers, prev, seq, now)
  if large and manyMembers then
    redis.call('HSET', key, 'at', now)
    return large, ' large', large
  end
  if large then
    redis.call('HDEL', key, 'large', 'at')
    return large, ' shrunk', false
  end
  if manyMembers then
    redis.call('HSET', key, 'large', string.format('%.0f', seq), 'at', now)
    return prev, ' grown', string.format('%.0f', seq)
  end
  return prev, '', false
end
