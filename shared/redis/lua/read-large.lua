-- @include slot-open
-- Reads the progress of a large group and the spans of some users in it, in one step.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
-- ARGV
--   users
-- Replies:
--   {closed}
--   {load}     Redis cannot vouch for the conversation
--   {inboxes}  the group is not large now
--   {large, seq since which it is large, last seq, version, time of the last message (ms), published 0|1,
--    seqs that do not count as unread (quiet-seqs.include.lua), then the spans of each user ('' = never a member)}
--      published  1 = everything accepted in the partition was published, 0 = some may be in flight
-- Reads only.
local slot = redis.call('HMGET', KEYS[1], 'line', 'appended', 'settled:inbox', 'open')
if not isOpen(slot[4]) then return {'closed'} end
local line = slot[1]
local found = redis.call('HMGET', KEYS[2], 'epoch', 'large', 'seq', 'version', 'at', 'quiet')
if found[1] ~= line then return {'load'} end
if not found[2] then return {'inboxes'} end
local published = (slot[2] or '0') == (slot[3] or '0') and '1' or '0'
local reply = {'large', found[2], found[3], found[4], found[5] or '0', published, found[6] or ''}
if #ARGV > 0 then
  for i, spans in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV))) do reply[7 + i] = spans or '' end
end
return reply
