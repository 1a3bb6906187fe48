-- Whether some users are all members of a group now. Who compares all of a large group does it in such steps: equal versions say that
-- nothing has changed between them.
--
-- KEYS[1] slot of the partition   KEYS[2] conversation   KEYS[3] members
-- ARGV[1] how many members there have to be   ARGV[2..] users
-- Replies: closed | load | not_found | different | same <version>
-- Reads only.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'complete')
if not state[1] then return 'closed' end
local found = redis.call('HMGET', KEYS[2], 'epoch', 'version', 'count')
if found[1] ~= state[1] then return (found[1] or state[2] ~= '1') and 'load' or 'not_found' end
if found[3] ~= ARGV[1] then return 'different' end
for _, spans in ipairs(redis.call('HMGET', KEYS[3], unpack(ARGV, 2))) do
  if not spans or string.byte(spans, -1) ~= 45 then return 'different' end
end
return 'same ' .. found[2]
