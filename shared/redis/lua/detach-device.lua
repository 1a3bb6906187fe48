-- @include slot-open
-- Removes the route of a connection that has ended, and no other route.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
-- ARGV
--   1  gateway
--   2  session
--   3  device
-- Replies: closed; 1 if it was removed, 0 if it was replaced before
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local routes = redis.call('HGET', KEYS[2], 'routes')
if not routes then return 0 end
local kept, removed = {}, 0
for route in string.gmatch(routes, '[^;]+') do
  if route == ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] then removed = 1 else kept[#kept + 1] = route end
end
if removed == 0 then return 0 end
redis.call('HSET', KEYS[2], 'routes', table.concat(kept, ';'))
local stored = redis.call('HGET', KEYS[3], ARGV[3])
if stored then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[3], ARGV[3], string.match(stored, '^%d+') .. string.format(' %.0f', now))
end
return 1
