-- ARGV: generation.
local expired, died, promoted = 0, 0, 0
for _, unit in ipairs(call('ZRANGE', LEASED, '-inf', now, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  local found = look(unit)
  local worker = found[6]
  if found[1] ~= 'leased' then
    -- The unit was lost, its lease was not.
    call('ZREM', LEASED, unit)
  else
    lift(unit, found)
    local reason = 'worker ' .. worker .. ' vanished: its lease was not renewed in ' .. string.format('%d', LEASE_MS) .. ' ms'
    if charge(unit, found, worker, 'crash', reason, '') then
      died = died + 1
    else
      expired = expired + 1
    end
  end
end
for _, unit in ipairs(call('ZRANGE', DELAYED, '-inf', now, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  local found = look(unit)
  if found[1] ~= 'delayed' then
    call('ZREM', DELAYED, unit)
  else
    lift(unit, found)
    set_ready(unit, found[2], found[3])
    promoted = promoted + 1
  end
end

local long_ago = now - LEASE_MS * WORKER_LEASES
for _, worker in ipairs(call('ZRANGE', WORKERS, '-inf', long_ago, 'BYSCORE', 'LIMIT', 0, MAX_REAP)) do
  call('ZREM', WORKERS, worker)
  call('HDEL', RECORDS, worker)
  call('SREM', DRAINING, worker)
  call('HDEL', TAKEN, worker)
end
call('ZREMRANGEBYSCORE', FINISHED, '-inf', long_ago)
call('ZREMRANGEBYSCORE', CANCELLED, '-inf', long_ago)

-- Entries that look leased, of units that are not.
local function drop_orphans(stream)
  for _, pending in ipairs(call('XPENDING', stream, 'w', '-', '+', MAX_REAP)) do
    local entry = pending[1]
    local held = call('XRANGE', stream, entry, entry)[1]
    local found = held and call('HMGET', UNIT .. held[2][2], 'place', 'entry') or {}
    if found[1] ~= 'leased' or found[2] ~= entry then
      call('XACK', stream, 'w', entry)
      call('XDEL', stream, entry)
    end
  end
end

-- Now and then streams that are empty go, as pools come and go with the versions of the program, and counts that a server has lost are made
-- anew: of a stream's entries those that are pending are leased.
local function sweep()
  local depths, shards, total, pending = {}, {}, 0, 0
  local function sum(field, by)
    depths[field] = (depths[field] or 0) + by
  end
  for _, name in ipairs(call('SMEMBERS', STREAMS)) do
    local stream = READY .. name
    local length = call('XLEN', stream)
    if length == 0 then
      call('DEL', stream)
      call('SREM', STREAMS, name)
    else
      if #call('XINFO', 'GROUPS', stream) == 0 then
        call('XGROUP', 'CREATE', stream, 'w', '0')
      end
      local leased = call('XPENDING', stream, 'w')[1]
      local pool = string.match(name, '^%d+:(.*)$')
      sum('ready:' .. pool, length - leased)
      sum('leased:' .. pool, leased)
      pending = pending + leased
      shards[name] = length - leased
    end
  end
  if pending ~= call('ZCARD', LEASED) then
    for _, name in ipairs(call('SMEMBERS', STREAMS)) do
      drop_orphans(READY .. name)
    end
  end
  local known, delayed = call('HGETALL', COUNTS), {}
  for i = 1, #known, 2 do
    if string.sub(known[i], 1, 8) == 'delayed:' then
      delayed[known[i]] = tonumber(known[i + 1])
      total = total + known[i + 1]
    end
  end
  call('DEL', COUNTS, SHARDS)
  if total == call('ZCARD', DELAYED) then
    for field, value in pairs(delayed) do
      sum(field, value)
    end
  else
    for _, unit in ipairs(call('ZRANGE', DELAYED, 0, -1)) do
      local pool = call('HGET', UNIT .. unit, 'pool')
      if pool then
        sum('delayed:' .. pool, 1)
      end
    end
  end
  for field, value in pairs(depths) do
    if value > 0 then
      call('HSET', COUNTS, field, value)
    end
  end
  for name, value in pairs(shards) do
    if value > 0 then
      call('HSET', SHARDS, name, value)
    end
  end
end

if tonumber(call('GET', SWEPT) or '0') + LEASE_MS <= now then
  call('SET', SWEPT, now)
  sweep()
end
return {expired, died, promoted}
