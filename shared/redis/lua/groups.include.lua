-- For scripts that need the progress of a stream's consumer groups. Returns the id last delivered to each group, by the
-- group's name.
local function lastDelivered(messages)
  local function valueOf(group, field)
    for i = 1, #group, 2 do if group[i] == field then return group[i + 1] end end
  end
  local delivered = {}
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', messages)) do
    delivered[valueOf(group, 'name')] = valueOf(group, 'last-delivered-id')
  end
  return delivered
end
