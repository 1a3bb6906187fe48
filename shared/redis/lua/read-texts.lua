-- @include overlays
-- @include slot-open
-- Reads texts of an inbox at some positions, with what is laid over each of them. One step: an overlay that is read
-- later may have been cut meanwhile, and the old body would be shown.
--
-- KEYS
--   1  slot of the shard
--   2  inbox
--   3  overlays
-- ARGV
--   positions
-- Replies:
--   {closed}
--   {texts, name of the entry's field (append-inbox.lua), text, field of the overlay, overlay or '', …}
--      four for each position, all of them '' for a position without an entry
-- Reads only.
if not isOpen(redis.call('HGET', KEYS[1], 'open')) then return {'closed'} end
local reply = {'texts'}
local hasOverlays = redis.call('HLEN', KEYS[3]) > 0
for _, position in ipairs(ARGV) do
  local entry = redis.call('XRANGE', KEYS[2], position .. '-0', position .. '-0')[1]
  local field = entry and hasOverlays and fieldOf(entry) or ''
  reply[#reply + 1] = entry and entry[2][1] or ''
  reply[#reply + 1] = entry and entry[2][2] or ''
  reply[#reply + 1] = field
  reply[#reply + 1] = field ~= '' and redis.call('HGET', KEYS[3], field) or ''
end
return reply
