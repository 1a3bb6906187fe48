-- For scripts that need what no device of a user has received. A user's own messages and amendments never count.

-- The sender and time of a message text; its head holds no quotes (message-text.ts).
local function sentBy(text)
  local at, sender = string.match(text, '^{"id":"[^"]+","conversation":"[^"]+","seq":%d+,"at":(%d+),"sender":"([^"]+)"')
  return sender, tonumber(at)
end

-- Returns nothing if everything was received. Otherwise returns the oldest unreceived position, its time in ms, and the
-- newest unreceived position. A gap has no time: it is at least as old as the entries behind it.
local function unreceived(name, inbox, gaps, devices)
  local received, oldest, at, newest = 0, nil, nil, nil
  for _, device in ipairs(redis.call('HVALS', devices)) do
    received = math.max(received, tonumber(string.match(device, '^%d+')))
  end
  for _, records in ipairs(redis.call('HVALS', gaps)) do
    for first, last in string.gmatch(records, '%d+:%d+:(%d+):(%d+)') do
      first, last = math.max(tonumber(first), received + 1), tonumber(last)
      if last > received then
        oldest = oldest and math.min(oldest, first) or first
        newest = newest and math.max(newest, last) or last
      end
    end
  end
  local function foreign(command, from, to, seen)
    while true do
      local entries = redis.call(command, inbox, from, to, 'COUNT', 100)
      for _, entry in ipairs(entries) do
        local sender, time = sentBy(entry[2][2])
        if sender ~= name and string.byte(entry[2][1]) == 49 then
          return seen(tonumber(string.match(entry[1], '^%d+')), time)
        end
      end
      if #entries < 100 then return end
      from = '(' .. entries[100][1]
    end
  end
  local above = '(' .. string.format('%.0f', received) .. '-0'
  foreign('XRANGE', above, '+', function(position, time)
    if not oldest or position < oldest then oldest, at = position, time end
  end)
  if not oldest then return end
  foreign('XREVRANGE', '+', above, function(position) newest = newest and math.max(newest, position) or position end)
  return oldest, at, newest
end
