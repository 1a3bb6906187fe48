-- @include slot-open
-- Gives up a lease if this process holds it (hold-lease.lua).
--
-- KEYS
--   1  lease
--   2  slot of the partition, for a lease on one
-- ARGV
--   1  process
-- Replies: closed; 1 if it was given up, 0 if this process did not hold it
if #KEYS > 1 and not isOpen(redis.call('HGET', KEYS[2], 'open')) then return 'closed' end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
