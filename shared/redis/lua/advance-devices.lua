-- @include device
-- @include slot-open
-- Moves devices forward to the position they have received, never back.
--
-- KEYS
--   one per device: user; then the fence
-- ARGV
--   six per device: beginning of the shard's keys, epoch, device, position, gateway, session ('' = not of a
--   connection). Epoch and gateway are '' if they are those of the device before.
-- Replies: one per device:
--   moved
--   same      the device was at this position or beyond
--   above     the position is above the head: refused, not clamped
--   replaced  the session no longer belongs to the device
--   closed    the slot is not open
--   epoch     another epoch is current
-- Safe to repeat.
local args, call = ARGV, redis.call
local time = call('TIME')
local now = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000))
local epochs = {}
local replies = {}

-- Makes room for one more of at most 20 devices. Devices that are online stay, and ephemeral ones are not counted.
local function forgetLongestUnseen(devices, routes)
  local known = call('HGETALL', devices)
  if #known < 40 then return end
  local count, oldest, oldestSeen = 0, nil, math.huge
  for i = 1, #known, 2 do
    local _, seen, words = readDevice(known[i + 1])
    if not isEphemeral(words) then
      count = count + 1
      local online = string.find(routes .. ';', ' ' .. known[i] .. ';', 1, true)
      if tonumber(seen) < oldestSeen and not online then oldest, oldestSeen = known[i], tonumber(seen) end
    end
  end
  if count >= 20 and oldest then call('HDEL', devices, oldest) end
end

-- Returns the epoch of a shard, false if its slot is not open.
local function epochOf(base)
  if epochs[base] == nil then
    local state = call('HMGET', base .. 'slot', 'epoch', 'open')
    epochs[base] = isOpen(state[2]) and state[1]
  end
  return epochs[base]
end

local function advance(userKey, base, epoch, device, positionText, gateway, session)
  local current = epochOf(base)
  if not current then return 'closed' end
  if current ~= epoch then return 'epoch' end
  local found = call('HMGET', userKey, 'head', 'routes')
  local position, routes = tonumber(positionText), found[2] or ''
  if position > tonumber(found[1] or 0) then return 'above' end
  if session ~= '' then
    local route = gateway .. ' ' .. session .. ' ' .. device
    if route ~= routes and not string.find(';' .. routes .. ';', ';' .. route .. ';', 1, true) then
      return 'replaced'
    end
  end
  local devices = base .. 'devices:' .. string.sub(userKey, #base + #'user:' + 1)
  local known = call('HGET', devices, device)
  if not known then forgetLongestUnseen(devices, routes) end
  local stored, seen, words = readDevice(known or '0 0')
  -- Without its connection an ephemeral device is not seen: it would be remembered for longer.
  if session ~= '' or not isEphemeral(words) then seen = now end
  local moves = position > tonumber(stored)
  call('HSET', devices, device, (moves and positionText or stored) .. ' ' .. seen .. words)
  return moves and 'moved' or 'same'
end

local epoch, gateway, at
for i = 1, #KEYS - 1 do
  at = 6 * (i - 1)
  if args[at + 2] ~= '' then epoch = args[at + 2] end
  if args[at + 5] ~= '' then gateway = args[at + 5] end
  replies[i] = advance(KEYS[i], args[at + 1], epoch, args[at + 3], args[at + 4], gateway, args[at + 6])
end
return replies
