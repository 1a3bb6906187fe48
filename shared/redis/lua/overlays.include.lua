-- For scripts that write, read or cut what amendments lay over the messages of an inbox.
--
-- An entry of an amendment has the format `2`, or `2-` if its user does not see the amended message (its field is named
-- so, append-inbox.lua). Its text holds no new body. That is in the user's hash `amended`, once for each message:
--   "<conversation>:<seq>" -> "<amendSeq> <version> <r|e|w> <by> <at> <position> <body JSON>"
-- `w`: withheld, since the user does not see the newest amendment; version 0, by `*` and body null then.
-- Position 0: no entry of the inbox stands for it, so it stays until the message is gone (`sweepOverlays`).
--
-- _Must hold:_ an overlay is written in one step with its amendment's entry, and goes with that entry. A message stands
-- below its amendments and has their class. So it is cut before the newest of them, and the overlay outlives it.

-- The message that an entry of format 2 amends. What stands before the body holds no quotes of its own.
local function amendedSeq(text)
  return string.match(text, '"kind":"restante%.amend","body":{"seq":(%d+),')
end

local function messageField(text)
  local conversation, seq = string.match(text, '^{"id":"[^"]+","conversation":"([^"]+)","seq":(%d+),')
  return conversation .. ':' .. seq, conversation
end

-- The field of the message that an entry shows or amends, in the form in which XRANGE returns entries.
local function fieldOf(entry)
  local field, conversation = messageField(entry[2][2])
  if string.byte(entry[2][1]) ~= 50 then return field end
  return conversation .. ':' .. amendedSeq(entry[2][2])
end

-- Removes the overlay that came with an entry of format 2 which is cut.
local function dropOverlay(overlays, entry, position)
  local field = fieldOf(entry)
  local at = string.match(redis.call('HGET', overlays, field) or '', '^%d+ %d+ %a %S+ %d+ (%d+) ')
  if at and tonumber(at) == position then redis.call('HDEL', overlays, field) end
end

-- Removes the overlays of messages that the inbox does not hold, unless it holds an amendment of them.
local function sweepOverlays(inbox, overlays)
  local held, from = {}, '-'
  while true do
    local entries = redis.call('XRANGE', inbox, from, '+', 'COUNT', 200)
    for _, entry in ipairs(entries) do held[fieldOf(entry)] = true end
    if #entries < 200 then break end
    from = '(' .. entries[200][1]
  end
  for _, field in ipairs(redis.call('HKEYS', overlays)) do
    if not held[field] then redis.call('HDEL', overlays, field) end
  end
end
