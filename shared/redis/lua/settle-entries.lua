-- @include slot-open
-- Settles entries of a message stream for one group, and counts them. The difference to the appended entries bounds the
-- backlog.
--
-- KEYS
--   1  slot of the partition
--   2  messages
-- ARGV
--   1  group
--   2… entry ids
-- Replies: closed, or the number of entries that were pending until now
-- Safe to repeat: an entry counts once.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
local settled = redis.call('XACK', KEYS[2], unpack(ARGV))
if settled > 0 then redis.call('HINCRBY', KEYS[1], 'settled:' .. ARGV[1], settled) end
return settled
