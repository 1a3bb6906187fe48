-- Included where a message of a group gets its seq: decides which way it goes, and stamps it, so that a repeated batch goes the same.
--
-- A conversation's field `large` is the seq since when its messages have no inbox entries (0: since it was created); absent while
-- they have. The word, with a space before it, ends the entry's routing (entry.ts):
--   nothing  to the inboxes; prev is the seq before it that went there
--   grown    to the inboxes, as the last one before the group is large: from it on each member knows that
--   large    to no inbox; prev is the seq of the last one that went there
--   shrunk   to the inboxes, as the first one after the group was large; prev as in `large`, so that what lies between becomes a gap
-- Replies prev, the word, and what `large` is from now on.
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
