-- @include slot-open
-- Reads some of the current and former members of a group, with their spans. A large group is read in parts, so that no
-- call blocks Redis for long. A small group comes whole.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
-- ARGV
--   1  where the previous part ended ('0' = the first part)
--   2  approximate number of members per part
--   3  groups of at most this size come whole
-- Replies:
--   {closed} | {load} | {not_found}
--   {found, version, loading, where this part ended ('0' = at the end), {user, spans, …}}
--      loading  names one loading of the conversation; parts of two loadings do not belong together
-- Reads only. Changes may come between the parts: each user's spans are at least as new as the first part's version.
-- A user may appear twice.
local slot, conversation, members = KEYS[1], KEYS[2], KEYS[3]
local state = redis.call('HMGET', slot, 'line', 'complete', 'open')
local line = state[1]
if not isOpen(state[3]) then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'version', 'loadedAt')
if found[1] ~= line then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
local loading = line .. ' ' .. (found[3] or '')
if ARGV[1] == '0' and redis.call('HLEN', members) <= tonumber(ARGV[3]) then
  return {'found', found[2], loading, '0', redis.call('HGETALL', members)}
end
local part = redis.call('HSCAN', members, ARGV[1], 'COUNT', ARGV[2])
return {'found', found[2], loading, part[1], part[2]}
