-- Puts members aside that Redis still holds of another epoch, beside those of history (stage-members.lua): history may lack a change that
-- became a dead letter. A part a call; nothing changes them, since nobody takes them for those of this epoch.
--
-- KEYS[1] slot of the partition   KEYS[2] conversation   KEYS[3] members   KEYS[4] staged
-- ARGV[1] how long they stay from now (ms)   ARGV[2] where the part before this one ended ('0' = the first)   ARGV[3] about so many at once
-- Replies: {closed} | {present} (somebody has loaded it) | {held, where this part ended ('0' = at the end), how many are put aside by it,
--   how many of them are members}
-- Safe to repeat, but a repetition says 0.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then return {'closed'} end
if redis.call('HGET', KEYS[2], 'epoch') == epoch then return {'present'} end
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
