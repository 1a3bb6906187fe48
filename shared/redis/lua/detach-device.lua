-- @include device
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
-- Replies: closed, or what holds after this call, whether it removed the route or somebody before it:
--   online   the user has a route of a gateway whose lease lasts
--   offline
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, removed, presence = {}, false, 'offline'
for route in string.gmatch(redis.call('HGET', KEYS[2], 'routes') or '', '[^;]+') do
  if route == ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] then
    removed = true
  else
    kept[#kept + 1] = route
    local gateway = string.match(route, '^[^ ]+')
    if presence == 'offline' and tonumber(redis.call('HGET', KEYS[1], 'gateway:' .. gateway) or 0) > now then
      presence = 'online'
    end
  end
end
if not removed then return presence end
redis.call('HSET', KEYS[2], 'routes', table.concat(kept, ';'))
local stored = redis.call('HGET', KEYS[3], ARGV[3])
if stored then
  local position, _, words = readDevice(stored)
  redis.call('HSET', KEYS[3], ARGV[3], deviceText(position, now, words))
end
return presence
