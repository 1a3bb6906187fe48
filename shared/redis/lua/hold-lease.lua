-- Takes or renews a lease: the ownership of a partition for one group, the lock of who compares Redis and history.
--
-- KEYS[1] lease   ARGV[1] process   ARGV[2] milliseconds it lasts
-- Replies: 1 it is held by this process now | 0 another process holds it
-- Two owners at once harm nothing (appends compare, blocks chain); the lease saves double work.
-- Keys expire by Redis' wall clock. Where that has gone back, a lease would outlive its owner by the jump: one that lasts a second
-- longer than any lease may is nobody's.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] and redis.call('PTTL', KEYS[1]) <= ARGV[2] + 1000 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
