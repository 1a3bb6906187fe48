-- Included where a message is appended to a stream. A stream's ids never fall: where Redis' clock has gone back, for
-- hours or after it was ahead for a moment, they stay where they were until it has caught up. Then the entry says
-- itself when it was accepted, in a field `a` (ms) behind the others; what reads it and does not know that field takes
-- the time of the id.
local aheadMs = 1000

-- Made once for all messages of a call: `now` stands still in a script.
local idOfNow

-- Replies the entry's id and, where it is not the id's, the time with a space before it.
local function appendMessage(messages, now, routing, tail)
  idOfNow = idOfNow or string.format('%.0f-*', now)
  local id = redis.pcall('XADD', messages, idOfNow, 'r', routing, 't', tail)
  if type(id) == 'string' then return id, '' end
  -- Refused: the stream is beyond now. Or nothing can be written, and then the next one fails as well.
  local info, last = redis.call('XINFO', 'STREAM', messages), 0
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then last = tonumber(string.match(info[i + 1], '^%d+')) end
  end
  if last - now < aheadMs then return redis.call('XADD', messages, '*', 'r', routing, 't', tail), '' end
  local at = string.format('%.0f', now)
  return redis.call('XADD', messages, '*', 'r', routing, 't', tail, 'a', at), ' ' .. at
end
