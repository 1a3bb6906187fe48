-- @include slot-open
-- Says which gateways hold the devices of users now, and when the users were last seen. A route counts while the lease
-- of its gateway lasts.
--
-- KEYS
--   one per user: user; then the fence
-- ARGV
--   two per user: beginning of the shard's keys, user
-- Replies: two per user
--   gateways   comma-joined, `-` for none, `closed` if the slot of its shard is not open
--   last seen  (ms) of its devices; after a gateway's lease has ended, that end if it is later; '' if never
-- Reads only.
local slots, leases, now = {}, {}, nil

local function clock()
  if not now then
    local time = redis.call('TIME')
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return now
end

local function slotOf(base)
  local slot = slots[base]
  if not slot then
    local found = redis.call('HMGET', base .. 'slot', 'line', 'open')
    slot = {line = found[1], isOpen = isOpen(found[2])}
    slots[base] = slot
  end
  return slot
end

local function leaseOf(base, gateway)
  local lease = leases[base .. gateway]
  if not lease then
    lease = tonumber(redis.call('HGET', base .. 'slot', 'gateway:' .. gateway) or 0)
    leases[base .. gateway] = lease
  end
  return lease
end

local reply = {}
for i = 1, #KEYS - 1 do
  local base, user = ARGV[2 * i - 1], ARGV[2 * i]
  local slot, list, seen = slotOf(base), '-', 0
  if slot.isOpen then
    local found = redis.call('HMGET', KEYS[i], 'epoch', 'routes')
    if found[1] == slot.line then
      for gateway in string.gmatch(found[2] or '', '([^ ;]+) [^;]+') do
        local lease = leaseOf(base, gateway)
        if lease <= clock() then
          seen = math.max(seen, lease)
        elseif not string.find(',' .. list .. ',', ',' .. gateway .. ',', 1, true) then
          list = list == '-' and gateway or list .. ',' .. gateway
        end
      end
      for _, device in ipairs(redis.call('HVALS', base .. 'devices:' .. user)) do
        seen = math.max(seen, tonumber(string.match(device, '^%d+ (%d+)')))
      end
    end
  else
    list = 'closed'
  end
  reply[2 * i - 1] = list
  reply[2 * i] = seen > 0 and string.format('%.0f', seen) or ''
end
return reply
