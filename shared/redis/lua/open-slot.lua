-- @include stream-ids
-- Opens the group of keys of one slot for an epoch. What was opened for this epoch before stays as it is.
--
-- KEYS[1] slot   KEYS[2] messages, for a partition's slot only
-- ARGV[1] epoch   ARGV[2] generation   ARGV[3] complete (1: everything that ever existed here is here)
-- ARGV[4] stream id up to which history has the partition ('' = nothing): new ids begin above it, also when the stream was lost
--         or the clock went back. So who compares the two again finds no second loss, and an id is never given twice.
-- Replies: opened | open
local slot, messages = KEYS[1], KEYS[2]
if redis.call('HGET', slot, 'epoch') == ARGV[1] then return 'open' end
local time = redis.call('TIME')
redis.call('HSET', slot, 'epoch', ARGV[1], 'generation', ARGV[2], 'complete', ARGV[3],
  'since', string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000)))
if messages then
  for _, group in ipairs({'inbox', 'history'}) do
    redis.pcall('XGROUP', 'CREATE', messages, group, '0', 'MKSTREAM')
  end
  if ARGV[4] ~= '' then
    local info, last = redis.call('XINFO', 'STREAM', messages), nil
    for i = 1, #info, 2 do if info[i] == 'last-generated-id' then last = info[i + 1] end end
    if isBelow(last, ARGV[4]) then redis.call('XSETID', messages, ARGV[4]) end
  end
end
return 'opened'
