-- Takes a unit out of its place; the caller puts it elsewhere or deletes it.
local function lift(unit, found)
  local place, pool, shard = found[1], found[2], found[3]
  local stream = READY .. shard .. ':' .. pool
  if place == 'ready' then
    call('XDEL', stream, found[4])
    count_ready(pool, shard, -1)
  elseif place == 'leased' then
    call('XACK', stream, 'w', found[4])
    call('XDEL', stream, found[4])
    call('ZREM', LEASED, unit)
    count('leased', pool, -1)
  elseif place == 'delayed' then
    call('ZREM', DELAYED, unit)
    count('delayed', pool, -1)
  else
    call('ZREM', DEAD, unit)
  end
end

-- Deletes a unit. Its holder hears of the loss, when one is given.
local function remove(unit, found, loss)
  lift(unit, found)
  call('DEL', UNIT .. unit)
  if loss and found[1] == 'leased' then
    call('ZREM', FINISHED, unit)
    call('ZREM', CANCELLED, unit)
    call('ZADD', loss, now, unit)
  end
end

local function emit(what, unit, job, worker, ...)
  call('XADD', EVENTS, '*', 'what', what, 'unit', unit, 'job', job, 'worker', worker, 'at', now, ...)
end
