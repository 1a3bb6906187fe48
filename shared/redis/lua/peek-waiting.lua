-- @include inbox-unreceived
-- Whether a notification that is on its way is still wanted.
--
-- KEYS[1] slot of the shard   KEYS[2] user   KEYS[3] inbox   KEYS[4] gaps   KEYS[5] devices
-- ARGV[1] user   ARGV[2] position that it is about
-- Replies: {closed} (the slot is not open) | {received} (everything up to the position) | {superseded} (by a later notification,
--   which says the same and more) | {wanted}
-- Reads only.
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then return {'closed'} end
local oldest = unreceived(ARGV[1], KEYS[3], KEYS[4], KEYS[5])
if not oldest or oldest > tonumber(ARGV[2]) then return {'received'} end
if tonumber(redis.call('HGET', KEYS[2], 'notified') or 0) > tonumber(ARGV[2]) then return {'superseded'} end
return {'wanted'}
