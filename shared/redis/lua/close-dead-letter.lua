-- Marks a dead letter as replayed. It leaves the lists but can still be found by its id.
--
-- KEYS
--   1  letters
--   2  open letters by time
--   3  open letters of this reason by time
--   4  counts
-- ARGV
--   1  id
--   2  letter with its replay (JSON)
--   3  reason
--   4  another name under which it is counted; '' for none
-- Replies: 1 if this call closed it, 0 if it was closed before or is unknown
-- Safe to repeat and to race: the first call wins.
if redis.call('ZREM', KEYS[2], ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HINCRBY', KEYS[4], ARGV[3], -1)
if ARGV[4] ~= '' then redis.call('HINCRBY', KEYS[4], ARGV[4], -1) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
