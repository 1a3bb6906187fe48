-- For scripts that append a message to a stream. Stream ids never fall. If Redis' clock has gone back, by hours or
-- because it was ahead for a moment, ids stay where they were until the clock has caught up. The entry then carries the
-- time of its acceptance in an additional last field `a` (ms). Readers that do not know that field use the id's time.
local aheadMs = 1000

-- Found once for all messages of a call: `now` does not change within a script. `idOfNow` is '*' once the stream was
-- found to be beyond now; `late` is then the time of acceptance, '' if the difference is too small to matter.
local idOfNow, late = nil, ''

-- `gateway` waits until history has the message, nil = none does. `more`: the name and the value of one more field, nil
-- for most messages.
-- Returns the entry's id, and its time with a space before it if it differs from the id's (otherwise '').
local function appendMessage(messages, now, routing, tail, gateway, more, value)
  idOfNow = idOfNow or string.format('%.0f-*', now)
  if idOfNow ~= '*' then
    local id
    if more and gateway then
      id = redis.pcall('XADD', messages, idOfNow, 'r', routing, 't', tail, 'w', gateway, more, value)
    elseif more then id = redis.pcall('XADD', messages, idOfNow, 'r', routing, 't', tail, more, value)
    elseif gateway then id = redis.pcall('XADD', messages, idOfNow, 'r', routing, 't', tail, 'w', gateway)
    else id = redis.pcall('XADD', messages, idOfNow, 'r', routing, 't', tail) end
    if type(id) == 'string' then return id, '' end
    -- Refused because the stream is beyond now, or because nothing can be written. Then the next XADD fails too.
    local info, last = redis.call('XINFO', 'STREAM', messages), 0
    for i = 1, #info, 2 do
      if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
    end
    if last - now >= aheadMs then late = string.format('%.0f', now) end
    idOfNow = '*'
  end
  local fields, time = {'r', routing, 't', tail}, ''
  if late ~= '' then fields[5], fields[6], time = 'a', late, ' ' .. late end
  if gateway then
    fields[#fields + 1] = 'w'
    fields[#fields + 1] = gateway
  end
  if more then
    fields[#fields + 1] = more
    fields[#fields + 1] = value
  end
  return redis.call('XADD', messages, '*', unpack(fields)), time
end
