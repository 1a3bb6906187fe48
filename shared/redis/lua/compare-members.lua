-- @include slot-open
-- Checks whether all given users are current members of a group. Callers compare a large group in several such steps:
-- equal versions in the replies mean that nothing changed between the steps.
--
-- KEYS
--   1  slot of the partition
--   2  conversation
--   3  members
-- ARGV
--   1  expected number of members
--   2… users
-- Replies: closed | load | not_found | different | same <version>
-- Reads only.
local state = redis.call('HMGET', KEYS[1], 'line', 'complete', 'open')
if not isOpen(state[3]) then return 'closed' end
local found = redis.call('HMGET', KEYS[2], 'epoch', 'version', 'count')
if found[1] ~= state[1] then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end
if found[3] ~= ARGV[1] then return 'different' end
for _, spans in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV, 2))) do
  if not spans or string.byte(spans, -1) ~= 45 then return 'different' end
end
return 'same ' .. found[2]
