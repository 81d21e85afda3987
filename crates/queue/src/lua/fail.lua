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
if kind == 'machine' and call('HINCRBY', UNIT .. unit, 'faults', 1) <= MAX_MACHINE_FAULTS then
  local shunned = {}
  for name in string.gmatch(call('HGET', UNIT .. unit, 'shunned') or '', '[^\n]+') do
    if name ~= worker then
      shunned[#shunned + 1] = name
    end
  end
  shunned[#shunned + 1] = worker
  if #shunned > MAX_SHUNNED then
    table.remove(shunned, 1)
  end
  call('HSET', UNIT .. unit, 'shunned', table.concat(shunned, '\n'), 'kind', kind, 'reason', ARGV[6], 'evidence', ARGV[7])
  set_ready(unit, found[2], found[3])
  return 'requeued'
end
return charge(unit, found, worker, kind, ARGV[6], ARGV[7]) and 'dead' or 'requeued'
