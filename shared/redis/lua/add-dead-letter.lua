-- Stores a dead letter once. A letter that was replayed and failed again is opened again.
--
-- KEYS
--   1  letters
--   2  open letters by time
--   3  open letters of this reason by time
--   4  counts
-- ARGV
--   1  id
--   2  time (ms)
--   3  letter (JSON)
--   4  reason
--   5  another name under which it is counted; '' for none
-- Replies: 1 if it is new, 0 if it is open already
-- Safe to repeat.
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
if ARGV[5] ~= '' then redis.call('HINCRBY', KEYS[4], ARGV[5], 1) end
return 1
