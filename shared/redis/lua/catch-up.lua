-- @include gap-records
-- @include inbox-epoch
-- Gives a user positions for what its large groups have brought since it was told last: messages of the large way have no inbox entries,
-- so what the user has not seen of them becomes one gap for each group.
--
-- KEYS[1] slot of the shard   KEYS[2] user   KEYS[3] devices
-- KEYS[4] gaps   KEYS[5] gaps by last position   KEYS[6] gaps by first position
-- ARGV[1] jump after a loss, then five for each group: conversation, seq since when it is large, last seq, and of the user's spans: the
--   end of the last one ('' = a member now), the seqs of its own joins and leaves (`,`-joined)
--   last seq was read before the spans (read-large.lua), so nothing from after a leave is among what it says
-- Replies: {closed} | {caught, head before, head, then for each group the last seq that the inbox holds or announces,
--   -1 when it is not one of the user's large groups}
--
-- Nothing is passed that still comes by the inbox: not before the user has the message since which the group is large (else that
-- message, which goes to every inbox, would be skipped), and never beyond the user's own next join or leave.
-- Safe to repeat: what was announced is not announced again.
local slot, user, devices = KEYS[1], KEYS[2], KEYS[3]
local gaps = {records = KEYS[4], byLast = KEYS[5], byFirst = KEYS[6]}
local meta = redis.call('HMGET', slot, 'epoch', 'complete', 'generation')
local state = {epoch = meta[1], complete = meta[2], generation = tonumber(meta[3] or 0)}
if not state.epoch then return {'closed'} end
enterEpoch(state, user, devices, tonumber(ARGV[1]))
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
      redis.call('HSET', user, 'c:' .. conversation, string.format('%.0f %s %s %s 0 m%s', last, read, joined, at, held == '' and '' or ' ' .. held))
    end
  end
  reply[#reply + 1] = string.format('%.0f', last)
end
if head > before then redis.call('HSET', user, 'head', string.format('%.0f', head)) end
reply[3] = string.format('%.0f', head)
return reply
