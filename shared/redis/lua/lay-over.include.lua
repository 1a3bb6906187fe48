-- For the script that appends to inboxes; include overlays first. What an amendment changes beside its own entry.

-- Lays an amendment over a message unless a newer one is laid over it already. `value` is all behind the amendment's
-- seq. Overlays without an entry are bounded by sweeping: no more of them are needed than the inbox holds entries.
local function layOver(inbox, overlays, field, amendSeq, value, most)
  local known = string.match(redis.call('HGET', overlays, field) or '0', '^%d+')
  if tonumber(known) >= amendSeq then return end
  redis.call('HSET', overlays, field, string.format('%.0f ', amendSeq) .. value)
  if redis.call('HLEN', overlays) > 2 * most then sweepOverlays(inbox, overlays) end
end

-- The newest message of a conversation below a position that counts, if every seq between it and `seq` is quiet and in
-- the inbox: its position and seq, otherwise 0 and 0.
local mostLookedAt = 100
local function newestBelow(inbox, overlays, conversation, position, seq)
  for _, entry in ipairs(redis.call('XREVRANGE', inbox, '(' .. position .. '-0', '-', 'COUNT', mostLookedAt)) do
    local field, of = messageField(entry[2][2])
    if of == conversation then
      local found = tonumber(string.sub(field, #of + 2))
      if found ~= seq - 1 then break end
      local action = string.match(redis.call('HGET', overlays, field) or '', '^%d+ %d+ (%a)')
      if string.byte(entry[2][1]) == 49 and action ~= 'r' then
        return string.match(entry[1], '^%d+'), string.format('%.0f', found)
      end
      seq = found
    end
  end
  return '0', '0'
end

-- Notes the newest message that counts, as an amendment leaves it: in the user's field `s:<conversation>`,
-- "<last seq> <position> <seq>". It is in force while the last seq in the inbox is that one. Position 0 = the inbox
-- does not hold that message. `last` and `place` are those of the inbox before the amendment `seq`; `recalled` is the
-- message that it recalls, if it does.
local function noteShown(userKey, inbox, overlays, conversation, last, place, seq, recalled)
  local field = 's:' .. conversation
  local known, position, shown = string.match(redis.call('HGET', userKey, field) or '', '^(%d+) (%d+) (%d+)$')
  if tonumber(known) ~= last then position, shown = place, string.format('%.0f', last) end
  if last + 1 ~= seq then position, shown = '0', '0' end
  if recalled and tonumber(shown) == recalled and position ~= '0' then
    position, shown = newestBelow(inbox, overlays, conversation, position, recalled)
  end
  redis.call('HSET', userKey, field, string.format('%.0f ', seq) .. position .. ' ' .. shown)
end
