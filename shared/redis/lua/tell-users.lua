-- @include slot-open
-- @include shard-slots
-- Hands hints to the gateways that hold their users now: finds the gateways and publishes to them in one step. A route
-- counts while the lease of its gateway lasts. The caller delivers to its own users itself.
--
-- KEYS
--   one per user: user; then the fence
-- ARGV
--   1  gateway of the caller, to which nothing is published
--   2  beginning of push channels
--   one per user: beginning of the shard's keys
--   then three per hint: indices of its users in KEYS, comma-joined; device that is not told ('' = none); frame
-- Replies: one per user
--   here    the caller's gateway holds it, perhaps with others
--   away    it does not
--   closed  the slot of its shard is not open: nobody is told
-- Writes nothing. Safe to repeat: the hints are told again.
local own, channel, users = ARGV[1], ARGV[2], #KEYS - 1

local names, gatewaysOf, reply = {}, {}, {}
for i = 1, users do
  local base = ARGV[2 + i]
  local slot = slotOf(base)
  names[i], gatewaysOf[i], reply[i] = sub(KEYS[i], #base + #'user:' + 1), '-', slot.isOpen and 'away' or 'closed'
  if slot.isOpen then
    local found = call('HMGET', KEYS[i], 'epoch', 'routes')
    if found[1] == slot.line then
      gatewaysOf[i] = liveGateways(slot, found[2], firstGateway(found[2]))
      if find(',' .. gatewaysOf[i] .. ',', ',' .. own .. ',', 1, true) then reply[i] = 'here' end
    end
  end
end

-- By gateway the lines of its payload (push-bus.ts).
local payloads = {}
for at = 3 + users, #ARGV, 3 do
  local namesAt = {}
  for index in string.gmatch(ARGV[at], '%d+') do
    index = tonumber(index)
    for gateway in string.gmatch(gatewaysOf[index], '[^,]+') do
      if gateway ~= own and gateway ~= '-' then
        namesAt[gateway] = (namesAt[gateway] and namesAt[gateway] .. ',' or '') .. names[index]
      end
    end
  end
  local besides = ARGV[at + 1] == '' and '' or ' not ' .. ARGV[at + 1]
  for gateway, told in pairs(namesAt) do
    local lines = payloads[gateway] or {'E'}
    payloads[gateway] = lines
    lines[#lines + 1], lines[#lines + 2] = told .. besides, ARGV[at + 2]
  end
end
for gateway, lines in pairs(payloads) do call('PUBLISH', channel .. gateway, table.concat(lines, '\n')) end
return reply
