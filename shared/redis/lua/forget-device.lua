-- @include slot-open
-- Forgets a device and its route. From now on, tokens issued before a moment are refused for it.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
--   4  revoked devices
--   5  revoked
-- ARGV
--   1  device
--   2  the moment (seconds since 1970)
--   3  maximum devices for which such a moment is kept
-- Replies:
--   {closed}
--   {known 0|1, route "<gateway> <session>" or ''}; nothing is kept for an unknown device
-- One step with the check of attach-device.lua: either a hello comes before, and its route is in the reply, or the
-- hello is refused.
-- Beyond the maximum, the oldest moment applies to the whole user. That may refuse too much, never too little.
-- Safe to repeat: moments only move forward.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local known = redis.call('HDEL', KEYS[3], ARGV[1])
local kept, route = {}, ''
local routes = redis.call('HGET', KEYS[2], 'routes') or ''
for gateway, session, device in string.gmatch(routes, '([^ ;]+) ([^ ;]+) ([^ ;]+)') do
  if device == ARGV[1] then
    route = gateway .. ' ' .. session
  else
    kept[#kept + 1] = gateway .. ' ' .. session .. ' ' .. device
  end
end
if route ~= '' then redis.call('HSET', KEYS[2], 'routes', table.concat(kept, ';')) end
if known == 0 and route == '' then return {known, route} end

local before = tonumber(redis.call('HGET', KEYS[4], ARGV[1]) or 0)
redis.call('HSET', KEYS[4], ARGV[1], string.format('%.0f', math.max(before, tonumber(ARGV[2]))))
if redis.call('HLEN', KEYS[4]) > tonumber(ARGV[3]) then
  local all = redis.call('HGETALL', KEYS[4])
  local oldest, moment = nil, math.huge
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < moment then oldest, moment = all[i], tonumber(all[i + 1]) end
  end
  redis.call('HDEL', KEYS[4], oldest)
  local ofUser = tonumber(redis.call('GET', KEYS[5]) or 0)
  redis.call('SET', KEYS[5], string.format('%.0f', math.max(ofUser, moment)))
end
return {known, route}
