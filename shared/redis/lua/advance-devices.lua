-- @include slot-open
-- Moves devices forward to the position they have received, never back.
--
-- KEYS
--   three per device: slot of the shard, user, devices; then the fence
-- ARGV
--   five per device: epoch, device, position, gateway, session ('' = not of a connection)
-- Replies: one per device:
--   moved
--   same      the device was at this position or beyond
--   above     the position is above the head: refused, not clamped
--   replaced  the session no longer belongs to the device
--   closed    the slot is not open
--   epoch     another epoch is current
-- Safe to repeat.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local epochs = {}
local replies = {}

-- Makes room for one more of at most 20 devices. Devices that are online stay.
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

local function advance(slot, user, devices, epoch, device, position, gateway, session)
  if epochs[slot] == nil then
    local state = redis.call('HMGET', slot, 'epoch', 'open')
    epochs[slot] = isOpen(state[2]) and state[1]
  end
  if not epochs[slot] then return 'closed' end
  if epochs[slot] ~= epoch then return 'epoch' end
  local found = redis.call('HMGET', user, 'head', 'routes')
  if position > tonumber(found[1] or 0) then return 'above' end
  if session ~= '' then
    local route = ';' .. gateway .. ' ' .. session .. ' ' .. device .. ';'
    if not string.find(';' .. (found[2] or '') .. ';', route, 1, true) then return 'replaced' end
  end
  local known = redis.call('HGET', devices, device)
  if not known then forgetLongestUnseen(devices, found[2] or '') end
  local stored = tonumber(string.match(known or '0', '^%d+'))
  redis.call('HSET', devices, device, string.format('%.0f %.0f', math.max(position, stored), now))
  return position > stored and 'moved' or 'same'
end

for i = 0, (#KEYS - 1) / 3 - 1 do
  replies[i + 1] = advance(KEYS[i * 3 + 1], KEYS[i * 3 + 2], KEYS[i * 3 + 3],
    ARGV[i * 5 + 1], ARGV[i * 5 + 2], tonumber(ARGV[i * 5 + 3]), ARGV[i * 5 + 4], ARGV[i * 5 + 5])
end
return replies
