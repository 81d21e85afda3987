local function backoff(unit, failures)
  local full = math.min(BACKOFF_MS * 2 ^ math.min(failures - 1, 32), MAX_BACKOFF_MS)
  local half = math.floor(full / 2)
  local hash = failures
  for i = 1, #unit do
    hash = (hash * 65599 + string.byte(unit, i)) % 4294967291
  end
  return half + hash % (full - half + 1)
end

local function bury_oldest()
  local over = call('ZCARD', DEAD) - MAX_DEAD
  if over > 0 then
    for _, unit in ipairs(call('ZRANGE', DEAD, 0, over - 1)) do
      call('ZREM', DEAD, unit)
      call('DEL', UNIT .. unit)
    end
  end
end

-- Counts a failure of a lifted unit; whether the unit is dead now.
local function charge(unit, found, worker, kind, reason, evidence)
  local key, job = UNIT .. unit, found[7]
  local failures = call('HINCRBY', key, kind == 'crash' and 'crashes' or 'attempts', 1)
  local dead = true
  if kind == 'attempt' or kind == 'machine' then
    dead = failures >= MAX_ATTEMPTS
  elseif kind == 'crash' then
    dead = failures >= MAX_CRASHES
    local vanished = call('HGET', key, 'vanished')
    vanished = vanished and (vanished .. ', ' .. worker) or worker
    call('HSET', key, 'vanished', vanished)
    if dead then
      evidence = evidence .. (evidence == '' and '' or '\n') .. 'workers that it crashed: ' .. vanished
    end
  end
  call('HSET', key, 'kind', kind, 'reason', reason, 'evidence', evidence)
  if dead then
    call('HSET', key, 'place', 'dead', 'at', now, 'worker', worker)
    call('HDEL', key, 'payload', 'entry')
    call('ZADD', DEAD, now, unit)
    emit('died', unit, job, worker, 'kind', kind, 'reason', reason, 'evidence', evidence)
    bury_oldest()
  else
    local both = call('HMGET', key, 'attempts', 'crashes')
    local due = now + backoff(unit, both[1] + both[2])
    call('HSET', key, 'place', 'delayed', 'due', due)
    call('ZADD', DELAYED, due, unit)
    count('delayed', found[2], 1)
  end
  return dead
end
