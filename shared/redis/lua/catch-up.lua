-- @include gap-records
-- @include inbox-line
-- @include slot-open
-- Gives a user positions for messages of its large groups that arrived since it was last told. These messages have no
-- inbox entries, so the unseen messages of each group become one gap.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  devices
--   4  gaps
--   5  gaps by last position
--   6  gaps by first position
-- ARGV
--   1  jump after a loss
--   2… five per group: conversation, seq since which it is large, last seq, and of the user's spans the end of the last
--      one ('' = a current member) and the seqs of its own joins and leaves (comma-joined)
--      The last seq was read before the spans (read-large.lua), so nothing after a leave is included.
-- Replies:
--   {closed}
--   {caught, head before, head, then per group the last seq that the inbox holds or announces,
--    -1 if it is not one of the user's large groups}
--
-- Must never pass a message that still comes through the inbox. So nothing is announced before the user has the message
-- with which the group became large: that message goes to every inbox and would be skipped. Nothing is announced
-- beyond the user's own next join or leave either.
-- Safe to repeat: nothing is announced twice.
local slot, user, devices = KEYS[1], KEYS[2], KEYS[3]
local gaps = {records = KEYS[4], byLast = KEYS[5], byFirst = KEYS[6]}
local meta = redis.call('HMGET', slot, 'line', 'complete', 'generation', 'open')
local state = {line = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
if not isOpen(meta[4]) then return {'closed'} end
enterLine(state, user, devices, tonumber(ARGV[1]))
local found = redis.call('HMGET', user, 'head', 'larges')
local before = tonumber(found[1] or 0)
local head, larges = before, found[2] or ''
local reply = {'caught', string.format('%.0f', before), '0'}

local function reachOf(last, seq, left, changes)
  local reach = math.min(seq, tonumber(left) or seq)
  for change in string.gmatch(changes, '%d+') do
    change = tonumber(change)
    if change > last and change <= reach then reach = change - 1 end
  end
  return reach
end

for i = 2, #ARGV, 5 do
  local conversation, since, seq = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2])
  local stored = redis.call('HGET', user, 'c:' .. conversation)
  local last = -1
  if stored and string.find(larges, ' ' .. conversation .. ' ', 1, true) then
    local known, read, joined, at, _, status, held = string.match(stored, '^(%d+) (%d+) (%d+) (%d+) (%d+) (%a) ?(%d*)$')
    last = math.max(tonumber(known), tonumber(joined))
    local reach = reachOf(last, seq, ARGV[i + 3], ARGV[i + 4])
    if status == 'm' and last >= since and reach > last then
      head = head + 1
      addGap(gaps, conversation, last + 1, reach, head, head, true)
      last = reach
      redis.call('HSET', user, 'c:' .. conversation,
        string.format('%.0f %s %s %s 0 m%s', last, read, joined, at, held == '' and '' or ' ' .. held))
    end
  end
  reply[#reply + 1] = string.format('%.0f', last)
end
if head > before then redis.call('HSET', user, 'head', string.format('%.0f', head)) end
reply[3] = string.format('%.0f', head)
return reply
