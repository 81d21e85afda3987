-- ARGV: generation, units. Keys may have gone one by one: what is left of a unit is made whole, and the next reap counts everything anew.
local answers, mended = {}, false
for i = 2, #ARGV do
  local unit = ARGV[i]
  local found = look(unit)
  local place, pool, shard = found[1], found[2], found[3]
  if place == 'ready' then
    local name = shard .. ':' .. pool
    if #call('XRANGE', READY .. name, found[4], found[4]) == 0 then
      call('SREM', STREAMS, name)
      set_ready(unit, pool, shard)
      mended = true
    elseif call('SADD', STREAMS, name) == 1 then
      mended = true
    end
  elseif place == 'leased' then
    mended = call('ZADD', LEASED, 'NX', now + LEASE_MS, unit) == 1 or mended
  elseif place == 'delayed' then
    mended = call('ZADD', DELAYED, 'NX', call('HGET', UNIT .. unit, 'due'), unit) == 1 or mended
  elseif place == 'dead' then
    mended = call('ZADD', DEAD, 'NX', call('HGET', UNIT .. unit, 'at'), unit) == 1 or mended
  end
  answers[#answers + 1] = place and 1 or 0
end
if mended then
  call('DEL', SWEPT)
end
return answers
