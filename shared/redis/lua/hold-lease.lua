-- @include slot-open
-- Takes or renews a lease: a group's ownership of a partition, or the lock for opening Redis.
--
-- KEYS
--   1  lease
--   2  slot of the partition, for a lease on one
-- ARGV
--   1  process
--   2  ms it lasts
-- Replies: closed; 1 if this process holds it now, 0 if another process does
-- Two owners at once do no harm (appends compare, blocks chain); the lease only saves double work.
-- Keys expire by Redis' wall clock. After the clock went back, a lease would outlive its owner by the jump. So a lease
-- that lasts a second longer than any lease may is free to take.
if #KEYS > 1 and not isOpen(redis.call('HGET', KEYS[2], 'open')) then return 'closed' end
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= ARGV[2] + 1000 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
