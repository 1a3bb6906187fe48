-- Forgets a device and its route. From now on tokens issued before a moment are refused for it.
--
-- KEYS[1] user   KEYS[2] devices   KEYS[3] revoked devices   KEYS[4] revoked
-- ARGV[1] device   ARGV[2] the moment, in seconds since 1970   ARGV[3] most devices of which such a moment is kept
-- Replies: {known 0|1, route "<gateway> <session>" or ''}; of a device that is not known nothing is kept
-- One step with the check of attach-device: either a hello comes before and its route is answered here, or it is refused.
-- Beyond the most the oldest moment counts for the whole user: too much is refused then, never too little.
-- Safe to repeat: moments only move forward.
local known = redis.call('HDEL', KEYS[2], ARGV[1])
local kept, route = {}, ''
for gateway, session, device in string.gmatch(redis.call('HGET', KEYS[1], 'routes') or '', '([^ ;]+) ([^ ;]+) ([^ ;]+)') do
  if device == ARGV[1] then route = gateway .. ' ' .. session else kept[#kept + 1] = gateway .. ' ' .. session .. ' ' .. device end
end
if route ~= '' then redis.call('HSET', KEYS[1], 'routes', table.concat(kept, ';')) end
if known == 0 and route == '' then return {known, route} end

local before = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or 0)
redis.call('HSET', KEYS[3], ARGV[1], string.format('%.0f', math.max(before, tonumber(ARGV[2]))))
if redis.call('HLEN', KEYS[3]) > tonumber(ARGV[3]) then
  local all = redis.call('HGETALL', KEYS[3])
  local oldest, moment = nil, math.huge
  for i = 1, #all, 2 do
    if tonumber(all[i + 1]) < moment then oldest, moment = all[i], tonumber(all[i + 1]) end
  end
  redis.call('HDEL', KEYS[3], oldest)
  local ofUser = tonumber(redis.call('GET', KEYS[4]) or 0)
  redis.call('SET', KEYS[4], string.format('%.0f', math.max(ofUser, moment)))
end
return {known, route}
