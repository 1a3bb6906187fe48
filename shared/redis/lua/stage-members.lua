-- @include slot-open
-- Stages some members of a large group that is to be created or loaded. Nobody sees them until a later step makes them
-- the group's members. Staged members belong to one creator or loader alone, and expire if it dies.
--
-- KEYS
--   1  slot of the partition
--   2  staged
-- ARGV
--   1  how long they stay from now (ms)
--   2… two per member: user, spans
-- Replies: closed | staged
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 'staged'
