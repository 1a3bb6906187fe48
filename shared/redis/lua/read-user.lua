-- @include slot-open
-- Reads everything of a user except the inbox itself: head, routes and the states of its conversations.
--
-- KEYS
--   1  slot of the shard
--   2  user
-- ARGV
--   none
-- Replies:
--   {closed} | {load}
--   {user, epoch, field, value, …}
-- Reads only.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'loads', 'open')
if not isOpen(meta[3]) then return {'closed'} end
if meta[2] and redis.call('HGET', KEYS[2], 'loaded') ~= meta[2] then return {'load'} end
local reply = {'user', meta[1]}
for _, value in ipairs(redis.call('HGETALL', KEYS[2])) do reply[#reply + 1] = value end
return reply
