-- ARGV: generation, unit, epoch, worker.
local unit = ARGV[2]
local found = look(unit)
if not found[1] then
  return 'unknown'
end
if not holds(found, ARGV[3], ARGV[4]) then
  return 'ignored'
end
lift(unit, found)
call('HINCRBY', UNIT .. unit, 'evictions', 1)
set_ready(unit, found[2], found[3])
return 'requeued'
