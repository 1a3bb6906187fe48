-- Included where a group's version rises. While somebody pages through a large group, its current members stand in a
-- sorted set as well (page-members.lua), and the conversation's field `listed` is "<version> <where its making
-- stands>": the set is as of that version. It goes on with each change that is made here. A change by a process that
-- does not know of it raises the version alone: then the set is out of date, and made again by the next page.
--
-- Replies whether the set has to follow a change of members.
local function carryList(conversation, listed, before, version)
  if not listed then return false end
  local at, stand = string.match(listed, '^(%d+) (.+)$')
  if at ~= before then return false end
  redis.call('HSET', conversation, 'listed', version .. ' ' .. stand)
  return true
end
