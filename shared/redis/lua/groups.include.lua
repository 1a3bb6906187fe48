-- For scripts that need the progress of a stream's consumer groups. Returns the id last delivered to each group, by the
-- group's name.
local function lastDelivered(messages)
  local delivered = {}
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', messages)) do
    local fields = {}
    for i = 1, #group, 2 do fields[group[i]] = group[i + 1] end
    delivered[fields['name']] = fields['last-delivered-id']
  end
  return delivered
end
