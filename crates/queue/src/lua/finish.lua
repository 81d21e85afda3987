-- ARGV: generation, unit, epoch, worker, report.
local unit, epoch, worker = ARGV[2], ARGV[3], ARGV[4]
local found = look(unit)
if not found[1] then
  return 'unknown'
end
local held = holds(found, epoch, worker)
remove(unit, found, not held and FINISHED)
emit('finished', unit, found[7], worker, 'report', ARGV[5])
return held and 'recorded' or 'late'
