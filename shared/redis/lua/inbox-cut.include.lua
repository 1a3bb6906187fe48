-- For scripts that cut inboxes; include gap-records and overlays first. A cut entry never just disappears: its seq goes
-- into a gap record of its conversation.

-- Lowers the number of entries that the inbox holds of a conversation.
local function release(user, conversation, entries)
  local field = 'c:' .. conversation
  local state, held = string.match(redis.call('HGET', user, field) or '', '^(.* %a) (%d+)$')
  if state then redis.call('HSET', user, field, state .. ' ' .. whole(math.max(0, tonumber(held) - entries))) end
end

-- Cuts entries in the form in which XRANGE returns them, in rising order. `overlays` is the key of the user's overlays.
local function cutEntries(inbox, user, gaps, overlays, entries)
  if #entries == 0 then return end
  local ids, cut = {}, {}
  for i, entry in ipairs(entries) do
    local position = tonumber(string.match(entry[1], '^%d+'))
    local conversation, seq = string.match(entry[2][2], '^{"id":"[^"]+","conversation":"([^"]+)","seq":(%d+),')
    seq = tonumber(seq)
    ids[i] = entry[1]
    if string.byte(entry[2][1]) == 50 then dropOverlay(overlays, entry, position) end
    local records = cut[conversation]
    if not records then
      records = {}
      cut[conversation] = records
    end
    records[#records + 1] = {seq, seq, position, position}
  end
  for conversation, records in pairs(cut) do
    addGaps(gaps, conversation, records)
    release(user, conversation, #records)
  end
  redis.call('XDEL', inbox, unpack(ids))
  if redis.call('XLEN', inbox) == 0 then redis.call('DEL', inbox, overlays) end
  redis.call('HINCRBY', user, 'count', -#ids)
end

-- A conversation is loud while it holds more than a quarter of the inbox's maximum, so at most four are. A user's
-- field `loud` names them, each with a space before and behind it. Conversations that are no longer loud are dropped
-- from it here.
-- Returns the loud conversations, and the one of them that holds most.
local function readLoud(user, most)
  local loud, loudest, mostHeld = ' ', nil, math.floor(most / 4)
  local quarter = mostHeld
  local noted = redis.call('HGET', user, 'loud')
  for conversation in string.gmatch(noted or '', '%S+') do
    local held = tonumber(string.match(redis.call('HGET', user, 'c:' .. conversation) or '', ' %a (%d+)$') or 0)
    if held > quarter then loud = loud .. conversation .. ' ' end
    if held > mostHeld then loudest, mostHeld = conversation, held end
  end
  if noted and noted ~= loud then redis.call('HSET', user, 'loud', loud) end
  return loud, loudest
end

local function noteLoud(user, conversation, most)
  local loud = readLoud(user, most)
  if not string.find(loud, ' ' .. conversation .. ' ', 1, true) then
    redis.call('HSET', user, 'loud', loud .. conversation .. ' ')
  end
end

-- Cuts entries of an inbox that is too full, fairly: the oldest of the loudest conversation, or the oldest of all if
-- none is loud. So a noisy conversation displaces itself and not the quiet ones.
local scanned = 2000
local function cutFairly(inbox, user, gaps, overlays, entries, most)
  local _, loudest = readLoud(user, most)
  local chosen = {}
  if loudest then
    local mark = '","conversation":"' .. loudest .. '","seq":'
    local from, seen = '-', 0
    while #chosen < entries and seen < scanned do
      local page = redis.call('XRANGE', inbox, from, '+', 'COUNT', 200)
      for _, entry in ipairs(page) do
        if #chosen < entries and string.find(string.sub(entry[2][2], 1, 200), mark, 1, true) then
          chosen[#chosen + 1] = entry
        end
      end
      seen = seen + #page
      if #page < 200 then break end
      from = '(' .. page[#page][1]
    end
  end
  if #chosen == 0 then chosen = redis.call('XRANGE', inbox, '-', '+', 'COUNT', entries) end
  cutEntries(inbox, user, gaps, overlays, chosen)
end
