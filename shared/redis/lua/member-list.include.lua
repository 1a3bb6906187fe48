-- For scripts that raise a group's version. While somebody pages through a large group, its current members are also in
-- a sorted set (page-members.lua). The conversation's field `listed` is "<version> <progress of building the set>": the
-- set is as of that version. Each change made here is carried into it. A process that does not know the set raises the
-- version alone: the set is then out of date, and the next page builds a new one.
--
-- Returns whether the set has to follow a change of members.
local function carryList(conversation, listed, before, version)
  if not listed then return false end
  local at, stand = string.match(listed, '^(%d+) (.+)$')
  if at ~= before then return false end
  redis.call('HSET', conversation, 'listed', version .. ' ' .. stand)
  return true
end
