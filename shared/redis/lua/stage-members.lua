-- Puts some members of a large group aside, which is to be created or loaded: nobody sees them until a later step makes them the group's
-- members. What is put aside belongs to one creator or loader alone, and expires by itself should that die.
--
-- KEYS[1] slot of the partition   KEYS[2] staged
-- ARGV[1] how long they stay from now (ms)   ARGV[2..] user, spans
-- Replies: closed | staged
-- Safe to repeat.
if not redis.call('HGET', KEYS[1], 'epoch') then return 'closed' end
redis.call('HSET', KEYS[2], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[2], ARGV[1])
return 'staged'
