-- Included where somebody asks what no device of a user has received. Own messages never count: who wrote them knows
-- them.

-- The sender and time of a message text; its head holds no quotes (message-text.ts).
local function sentBy(text)
  local at, sender = string.match(text, '^{"id":"[^"]+","conversation":"[^"]+","seq":%d+,"at":(%d+),"sender":"([^"]+)"')
  return sender, tonumber(at)
end

-- Replies nothing when everything was received, else the oldest position that was not, its time (ms; none for a gap,
--   which is at least as old as what stands behind it), and the newest such position.
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
        if sender ~= name then return seen(tonumber(string.match(entry[1], '^%d+')), time) end
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
