-- How far a large group has come, and the spans of some users in it, in one step.
--
-- KEYS[1] slot of the partition   KEYS[2] conversation   KEYS[3] members
-- ARGV users
-- Replies: {load} (Redis cannot vouch for the conversation) | {inboxes} (it is not large now) |
--   {large, seq since when it is, last seq, version, time of the last message (ms), 1 when everything that was accepted in the partition
--   was published (0 = some may be on its way), then the spans of each user ('' = never a member)}
-- Reads only.
local slot = redis.call('HMGET', KEYS[1], 'epoch', 'appended', 'settled:inbox')
local epoch = slot[1]
local found = redis.call('HMGET', KEYS[2], 'epoch', 'large', 'seq', 'version', 'at')
if not epoch or found[1] ~= epoch then return {'load'} end
if not found[2] then return {'inboxes'} end
local reply = {'large', found[2], found[3], found[4], found[5] or '0', (slot[2] or '0') == (slot[3] or '0') and '1' or '0'}
if #ARGV > 0 then
  for i, spans in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV))) do reply[6 + i] = spans or '' end
end
return reply
