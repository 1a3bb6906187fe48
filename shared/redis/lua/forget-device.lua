-- Forgets a device and its route.
--
-- KEYS[1] user   KEYS[2] devices   ARGV[1] device
-- Replies: {known 0|1, route "<gateway> <session>" or ''}
-- Safe to repeat.
local known = redis.call('HDEL', KEYS[2], ARGV[1])
local kept, route = {}, ''
for gateway, session, device in string.gmatch(redis.call('HGET', KEYS[1], 'routes') or '', '([^ ;]+) ([^ ;]+) ([^ ;]+)') do
  if device == ARGV[1] then route = gateway .. ' ' .. session else kept[#kept + 1] = gateway .. ' ' .. session .. ' ' .. device end
end
if route ~= '' then redis.call('HSET', KEYS[1], 'routes', table.concat(kept, ';')) end
return {known, route}
