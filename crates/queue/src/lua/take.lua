-- ARGV: generation, worker, record of a newcomer, count, number of this request, number of pools, pools, shards.
local worker, wanted, request, pools = ARGV[2], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local first_shard = 7 + pools
if call('ZADD', WORKERS, now, worker) == 1 then
  call('HSET', RECORDS, worker, ARGV[3])
end
if wanted == 0 or call('SISMEMBER', DRAINING, worker) == 1 then
  return {}
end

local leases, names = {}, {}
local function answer(unit, found, epoch)
  leases[#leases + 1] = {unit, epoch, found[1], found[2], found[3], found[4], found[5], found[6], math.max(0, now - found[7])}
  names[#names + 1] = unit
end
local function details(unit)
  return call('HMGET', UNIT .. unit, 'pool', 'shard', 'job', 'payload', 'attempts', 'crashes', 'queued', 'place', 'entry', 'epoch', 'worker', 'shunned')
end

-- The worker asks again because the answer was lost: it gets the same one. Names have no line breaks.
local taken = call('HGET', TAKEN, worker)
if taken and string.sub(taken, 1, #request + 1) == request .. '\n' then
  for unit in string.gmatch(string.sub(taken, #request + 2), '[^\n]+') do
    local found = details(unit)
    if found[8] == 'leased' and found[11] == worker and #leases < wanted then
      answer(unit, found, found[10])
    end
  end
  if #leases > 0 then
    return leases
  end
end

local function listed(names, name)
  return string.find('\n' .. names .. '\n', '\n' .. name .. '\n', 1, true)
end

-- Whether a live and well worker takes from the pool that is none of these.
local function another_serves(pool, shunned)
  local long_ago = string.format('%d', now - LEASE_MS * WORKER_LEASES)
  for _, name in ipairs(call('ZRANGE', WORKERS, '(' .. long_ago, '+inf', 'BYSCORE')) do
    local text = not listed(shunned, name) and call('SISMEMBER', DRAINING, name) == 0 and call('HGET', RECORDS, name)
    local record = text and cjson.decode(text)
    if record and (record.trouble or '') == '' then
      for _, served in ipairs(record.pools) do
        if served == pool then
          return true
        end
      end
    end
  end
  return false
end

local function lease(unit, entry, stream)
  local found = details(unit)
  if found[8] ~= 'ready' or found[9] ~= entry then
    call('XACK', stream, 'w', entry)
    call('XDEL', stream, entry)
    return 0
  end
  if found[12] and listed(found[12], worker) and another_serves(found[1], found[12]) then
    call('XACK', stream, 'w', entry)
    call('XDEL', stream, entry)
    count_ready(found[1], found[2], -1)
    set_ready(unit, found[1], found[2])
    return 0
  end
  local epoch = call('INCR', EPOCH)
  call('HSET', UNIT .. unit, 'place', 'leased', 'epoch', epoch, 'worker', worker)
  call('ZADD', LEASED, now + LEASE_MS, unit)
  answer(unit, found, epoch)
  return 1
end

local function take_shard(pool, shard)
  local stream = READY .. shard .. ':' .. pool
  local got = call('XREADGROUP', 'GROUP', 'w', 'w', 'COUNT', wanted - #leases, 'STREAMS', stream, '>')
  local number = 0
  if got then
    for _, entry in ipairs(got[1][2]) do
      number = number + lease(entry[2][2], entry[1], stream)
    end
  end
  if number > 0 then
    count_ready(pool, shard, -number)
    count('leased', pool, number)
  end
end

local function take_pool(pool)
  local fields = {}
  for i = first_shard, #ARGV do
    fields[#fields + 1] = ARGV[i] .. ':' .. pool
  end
  local ready = call('HMGET', SHARDS, unpack(fields))
  for i = 1, #fields do
    if ready[i] and #leases < wanted then
      take_shard(pool, ARGV[first_shard + i - 1])
    end
  end
end

if pools > 0 then
  local fields = {}
  for i = 1, pools do
    fields[i] = 'ready:' .. ARGV[6 + i]
  end
  local ready = call('HMGET', COUNTS, unpack(fields))
  for i = 1, pools do
    if ready[i] and #leases < wanted then
      take_pool(ARGV[6 + i])
    end
  end
end
if #leases > 0 then
  call('HSET', TAKEN, worker, request .. '\n' .. table.concat(names, '\n'))
end
return leases
