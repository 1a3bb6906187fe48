-- @include overlays
-- @include slot-open
-- Removes overlays that nothing in the inbox needs any more. Those that came with an amendment's entry go with it; who
-- has left a group has overlays without one.
--
-- KEYS
--   1  slot of the shard
--   2  inbox
--   3  overlays
-- ARGV
--   none
-- Replies: closed | swept
-- Safe to repeat.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return 'closed' end
if redis.call('HLEN', KEYS[3]) > 0 then sweepOverlays(KEYS[2], KEYS[3]) end
return 'swept'
