-- The consumer groups of every message stream, in the order of shared/model/groups.ts; a test compares the two.
-- `settledFields`: the slot's fields that count what each of them has settled, in the same order.
local consumerGroups = {'inbox', 'history'}
local settledFields = {'settled:inbox', 'settled:history'}
