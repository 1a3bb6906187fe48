-- @include inbox-unreceived
-- @include slot-open
-- Checks whether a notification that is about to be sent is still wanted.
--
-- KEYS
--   1  slot of the shard
--   2  user
--   3  inbox
--   4  gaps
--   5  devices
-- ARGV
--   1  user
--   2  position of the notification
-- Replies:
--   {closed}      the slot is not open
--   {received}    everything up to the position was received
--   {superseded}  a later notification says the same and more
--   {wanted}
-- Reads only.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local oldest = unreceived(ARGV[1], KEYS[3], KEYS[4], KEYS[5])
if not oldest or oldest > tonumber(ARGV[2]) then return {'received'} end
if tonumber(redis.call('HGET', KEYS[2], 'notified') or 0) > tonumber(ARGV[2]) then return {'superseded'} end
return {'wanted'}
