-- Gives up the ownership of a partition if this process holds it.
--
-- KEYS
--   1  lease
-- ARGV
--   1  process
-- Replies: 1 if it was given up, 0 if this process did not hold it
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
