-- @include slot-open
-- Stages members that Redis still holds of another line, beside those of history (stage-members.lua): history may lack
-- a change that became a dead letter. One part per call. Nothing changes these members meanwhile, since they are not of
-- this line.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
--   4  staged
-- ARGV
--   1  how long they stay from now (ms)
--   2  where the previous part ended ('0' = the first part)
--   3  approximate number of members per part
-- Replies:
--   {closed}
--   {present}  another caller has loaded the conversation
--   {held, where this part ended ('0' = at the end), members staged by this call, current members among them}
-- Safe to repeat, but a repetition counts 0.
local state = redis.call('HMGET', KEYS[1], 'line', 'open')
if not isOpen(state[2]) then return {'closed'} end
local line = state[1]
if redis.call('HGET', KEYS[2], 'epoch') == line then return {'present'} end
local part = redis.call('HSCAN', KEYS[3], ARGV[2], 'COUNT', ARGV[3])
local held, added, open = part[2], 0, 0
for i = 1, #held, 2 do
  if redis.call('HSETNX', KEYS[4], held[i], held[i + 1]) == 1 then
    added = added + 1
    if string.byte(held[i + 1], -1) == 45 then open = open + 1 end
  end
end
redis.call('PEXPIRE', KEYS[4], ARGV[1])
return {'held', part[1], added, open}
