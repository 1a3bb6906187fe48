-- For the script that appends to inboxes: the arguments that describe messages, and the pushes that it makes of them.
-- Include inbox-payloads first. What stands in a payload goes out before an amendment, whose payload is of another
-- kind.
local args = ARGV

-- The arguments of a message stand behind this offset, in the order that the script's head gives.
local function offsetOf(message) return 5 + 7 * (message - 1) end

local function deliverAmendment(gateway, message, user, position, amends)
  local of, recipient = offsetOf(message), user .. ':' .. position
  publishDeliveries(gateway)
  redis.call('PUBLISH', channel .. gateway, 'W\n' .. args[of + 4] .. ' ' .. args[of + 5] .. ' ' .. amends.target .. ' '
    .. amends.version .. ' ' .. amends.action .. (amends.body and ' ' .. recipient .. ' *' or ' * ' .. recipient)
    .. '\n' .. args[of + 7] .. '\n' .. (amends.body or 'null'))
end

local function push(gateways, message, user, position, amends)
  local of = offsetOf(message)
  for gateway in string.gmatch(gateways, '[^,]+') do
    if amends then
      deliverAmendment(gateway, message, user, position, amends)
    else
      deliver(gateway, message, args[of + 4], args[of + 5], args[of + 7], user, position)
    end
  end
end
