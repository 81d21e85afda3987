-- ARGV: generation, unit, epoch, worker, kind, reason, evidence.
local unit, epoch, worker, kind = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local found = look(unit)
if not found[1] then
  return 'unknown'
end
if not holds(found, epoch, worker) then
  return 'ignored'
end
if kind == 'input' then
  remove(unit, found)
  emit('needs_input', unit, found[7], worker, 'kind', kind, 'reason', ARGV[6], 'evidence', ARGV[7])
  return 'recorded'
end
lift(unit, found)
return charge(unit, found, worker, kind, ARGV[6], ARGV[7]) and 'dead' or 'requeued'
