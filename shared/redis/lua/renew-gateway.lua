-- @include slot-open
-- Renews a gateway's lease in one shard, and reads the heads, routes, large groups and settings' versions of its users there. So a lost
-- push, or a connection replaced without notice, is detected by the next renewal.
--
-- KEYS
--   1  slot of the shard
--   2… users; then the fence
-- ARGV
--   1  gateway
--   2  ms the lease lasts
-- Replies:
--   {''}     the slot is closed
--   {epoch, then four per user: head, routes, large groups, version of its settings}
-- Safe to repeat. The lease does not reveal an earlier pause: another hello may have renewed it first. A route that was
-- dropped meanwhile does.
local slot = KEYS[1]
local state = redis.call('HMGET', slot, 'epoch', 'open')
if not isOpen(state[2]) then return {''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HSET', slot, 'gateway:' .. ARGV[1], now + ARGV[2])
local reply = {state[1]}
for i = 2, #KEYS - 1 do
  local found = redis.call('HMGET', KEYS[i], 'head', 'routes', 'larges', 'sv')
  reply[#reply + 1] = found[1] or '0'
  reply[#reply + 1] = found[2] or ''
  reply[#reply + 1] = found[3] or ''
  reply[#reply + 1] = found[4] or '0'
end
return reply
