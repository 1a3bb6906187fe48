-- @include slot-open
-- Renews a gateway's lease in one shard, and reads the heads, routes, large groups and settings' versions of its users
-- there. So a lost push, or a connection replaced without notice, is detected by the next renewal. A call without users
-- takes no lease: the gateway only watches users of the shard.
--
-- KEYS
--   1  slot of the shard
--   2… users; then the fence
-- ARGV
--   1  gateway
--   2  ms the lease lasts
--   3  presence channel of the shard ('' = presence is not told)
--   4  whether a hello has renewed a lapsed lease since the last call (0|1)
--   5  whether the live gateways of the shard are asked for (0|1)
-- Replies:
--   {''}     the slot is closed
--   {epoch, live gateways (comma-joined; '' if not asked for), then four per user: head, routes, large groups, version
--    of its settings (-1: not copied since the shard has lost something)}
-- A lease that had lapsed made its users offline, and makes them online again: that is told on the channel.
-- Leases that lapsed an hour ago are removed, when the gateways are asked for.
-- Safe to repeat. The lease does not reveal an earlier pause: another hello may have renewed it first. A route that was
-- dropped meanwhile does.
local slot, own = KEYS[1], 'gateway:' .. ARGV[1]
local state = redis.call('HMGET', slot, 'epoch', 'open', own, 'complete')
if not isOpen(state[2]) then return {''} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if #KEYS > 2 then
  redis.call('HSET', slot, own, now + ARGV[2])
  if ARGV[3] ~= '' and (ARGV[4] == '1' or tonumber(state[3] or 0) <= now) then
    redis.call('PUBLISH', ARGV[3], 'P\n! ' .. string.match(ARGV[3], '%d+$'))
  end
end

local live = {}
if ARGV[5] == '1' then
  local fields = redis.call('HGETALL', slot)
  for i = 1, #fields, 2 do
    local gateway, lease = string.match(fields[i], '^gateway:(.+)'), tonumber(fields[i + 1])
    if gateway and lease > now then
      live[#live + 1] = gateway
    elseif gateway and lease + 3600000 < now then
      redis.call('HDEL', slot, fields[i])
    end
  end
end
local reply = {state[1], table.concat(live, ',')}
for i = 2, #KEYS - 1 do
  local found = redis.call('HMGET', KEYS[i], 'head', 'routes', 'larges', 'sv')
  reply[#reply + 1] = found[1] or '0'
  reply[#reply + 1] = found[2] or ''
  reply[#reply + 1] = found[3] or ''
  reply[#reply + 1] = found[4] or (state[4] == '1' and '0' or '-1')
end
return reply
