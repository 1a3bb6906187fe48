-- Moves devices forward to what they received, never back.
--
-- KEYS[1] slot of the shard   then two for each device: user, devices
-- ARGV[1] epoch   then four for each device: device, position, gateway, session ('' = not of a connection)
-- Replies {closed} | {epoch} (another one holds: nothing is moved) | one for each device:
--   moved | same (it was there or beyond) | above (the head: refused, not clamped) | replaced (the session is not the device's any more)
-- Safe to repeat.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {'closed'} end
if epoch ~= ARGV[1] then return {'epoch'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local replies = {}

-- Makes room for one more of at most 20 devices; one that is online stays.
local function forgetLongestUnseen(devices, routes)
  local known = redis.call('HGETALL', devices)
  if #known < 40 then return end
  local oldest, oldestSeen = nil, math.huge
  for i = 1, #known, 2 do
    local seen = tonumber(string.match(known[i + 1], '%d+$'))
    local online = string.find(routes .. ';', ' ' .. known[i] .. ';', 1, true)
    if seen < oldestSeen and not online then oldest, oldestSeen = known[i], seen end
  end
  if oldest then redis.call('HDEL', devices, oldest) end
end

for i = 0, (#KEYS - 1) / 2 - 1 do
  local user, devices = KEYS[i * 2 + 2], KEYS[i * 2 + 3]
  local device, position = ARGV[i * 4 + 2], tonumber(ARGV[i * 4 + 3])
  local gateway, session = ARGV[i * 4 + 4], ARGV[i * 4 + 5]
  local found = redis.call('HMGET', user, 'head', 'routes')
  local reply
  if position > tonumber(found[1] or 0) then
    reply = 'above'
  elseif session ~= '' and not string.find(';' .. (found[2] or '') .. ';', ';' .. gateway .. ' ' .. session .. ' ' .. device .. ';', 1, true) then
    reply = 'replaced'
  else
    local known = redis.call('HGET', devices, device)
    if not known then forgetLongestUnseen(devices, found[2] or '') end
    local stored = tonumber(string.match(known or '0', '^%d+'))
    reply = position > stored and 'moved' or 'same'
    redis.call('HSET', devices, device, string.format('%.0f %.0f', math.max(position, stored), now))
  end
  replies[i + 1] = reply
end
return replies
