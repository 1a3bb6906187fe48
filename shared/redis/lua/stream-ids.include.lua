-- Included where ids of stream entries are compared. Never as one number: that would not hold both of their parts
-- exactly.
local function idParts(id)
  local dash = string.find(id, '-', 1, true)
  return tonumber(string.sub(id, 1, dash - 1)), tonumber(string.sub(id, dash + 1))
end
local function isBelow(one, other)
  local oneMs, oneSeq = idParts(one)
  local otherMs, otherSeq = idParts(other)
  return oneMs < otherMs or (oneMs == otherMs and oneSeq < otherSeq)
end
