-- Takes or renews the ownership of a partition for one group.
--
-- KEYS[1] lease   ARGV[1] process   ARGV[2] milliseconds it lasts
-- Replies: 1 it is held by this process now | 0 another process holds it
-- Two owners at once harm nothing (appends compare, blocks chain); the lease saves double work.
local owner = redis.call('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
