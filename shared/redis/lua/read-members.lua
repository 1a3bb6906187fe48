-- Some of the users that are or were members of a group, with their spans: whoever reads all of a large one does it in such parts, so that
-- nobody waits for it. A small group comes whole.
--
-- KEYS[1] slot of the partition   KEYS[2] conversation   KEYS[3] members
-- ARGV[1] where the part before this one ended ('0' = the first)   ARGV[2] about so many at once   ARGV[3] so many come whole
-- Replies: {closed} | {load} | {not_found} |
--   {found, version, the loading that this is of, where this part ended ('0' = at the end), {user, spans, …}}
-- Reads only. Changes may come between the parts: each user's spans are at least of the version that the first part has said. Somebody may
-- come twice. Parts of two loadings do not belong together.
local slot, conversation, members = KEYS[1], KEYS[2], KEYS[3]
local state = redis.call('HMGET', slot, 'epoch', 'complete')
local epoch = state[1]
if not epoch then return {'closed'} end
local found = redis.call('HMGET', conversation, 'epoch', 'version', 'loadedAt')
if found[1] ~= epoch then return {(found[1] or state[2] ~= '1') and 'load' or 'not_found'} end
local loading = epoch .. ' ' .. (found[3] or '')
if ARGV[1] == '0' and redis.call('HLEN', members) <= tonumber(ARGV[3]) then
  return {'found', found[2], loading, '0', redis.call('HGETALL', members)}
end
local part = redis.call('HSCAN', members, ARGV[1], 'COUNT', ARGV[2])
return {'found', found[2], loading, part[1], part[2]}
