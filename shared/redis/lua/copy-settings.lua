-- @include slot-open
-- Copies what others decide by from a user's settings to the user's shard: `pv`, who may see it online; `ro`, whether
-- its receipts are off; and `sv`, the version of the settings, by which every gateway of the user notices a change that
-- it was not told of.
--
-- KEYS
--   1  slot of the shard
--   2  user
-- ARGV
--   1  version
--   2  presence
--   3  whether receipts are off (0|1)
--   4  presence channel of the shard: those who watch the user look again whether they may
-- Replies: closed | 1 | 0 (this version or a later one was copied before)
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local found = redis.call('HMGET', KEYS[2], 'sv', 'pv')
if tonumber(found[1] or -1) >= tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[2], 'sv', ARGV[1], 'pv', ARGV[2], 'ro', ARGV[3])
if found[2] ~= ARGV[2] then redis.call('PUBLISH', ARGV[4], 'P\n? ' .. string.match(KEYS[2], '[^:]+$')) end
return 1
