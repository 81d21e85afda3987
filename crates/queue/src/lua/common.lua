-- Keys, all of one slot:
--   unit:UNIT        hash: place (ready, delayed, leased, dead), pool, shard, job, payload, queued, entry, epoch, worker, due, at,
--                    attempts, crashes, evictions, vanished, and the last failure: kind, reason, evidence
--   ready:SHARD:POOL stream of units with the consumer group 'w'; an entry stays, pending, as long as its unit is leased
--   streams          set of SHARD:POOL that have a stream
--   counts           hash: ready, delayed and leased units of a pool; shards: ready units of SHARD:POOL
--   delayed, leased, dead          zsets of units by the time they are due, expire, died
--   finished, cancelled            zsets of units that left while a worker held them, by time
--   events           stream
--   workers          zset by time last heard of; records: hash; draining: set; taken: hash, the last take of each
local call = redis.call
local PREFIX = NAME .. ':'
local DELAYED, LEASED, DEAD = PREFIX .. 'delayed', PREFIX .. 'leased', PREFIX .. 'dead'
local FINISHED, CANCELLED = PREFIX .. 'finished', PREFIX .. 'cancelled'
local COUNTS, SHARDS, STREAMS = PREFIX .. 'counts', PREFIX .. 'shards', PREFIX .. 'streams'
local EVENTS, EPOCH, SWEPT = PREFIX .. 'events', PREFIX .. 'epoch', PREFIX .. 'swept'
local WORKERS, RECORDS = PREFIX .. 'workers', PREFIX .. 'records'
local DRAINING, TAKEN = PREFIX .. 'draining', PREFIX .. 'taken'
local UNIT, READY = PREFIX .. 'unit:', PREFIX .. 'ready:'

local function add(key, field, by)
  if call('HINCRBY', key, field, by) <= 0 then
    call('HDEL', key, field)
  end
end

local function count(place, pool, by)
  add(COUNTS, place .. ':' .. pool, by)
end

local function count_ready(pool, shard, by)
  count('ready', pool, by)
  add(SHARDS, shard .. ':' .. pool, by)
end

-- Queues a unit at the end of its shard; the stream's id of the entry.
local function enqueue(unit, pool, shard)
  local name = shard .. ':' .. pool
  if call('SADD', STREAMS, name) == 1 then
    call('XGROUP', 'CREATE', READY .. name, 'w', '0', 'MKSTREAM')
  end
  local entry = call('XADD', READY .. name, '*', 'unit', unit)
  count_ready(pool, shard, 1)
  return entry
end

local function set_ready(unit, pool, shard)
  call('HSET', UNIT .. unit, 'place', 'ready', 'entry', enqueue(unit, pool, shard))
end

-- What moves need of a unit: place, pool, shard, entry, epoch, worker, job. The place is false for an unknown unit.
local function look(unit)
  return call('HMGET', UNIT .. unit, 'place', 'pool', 'shard', 'entry', 'epoch', 'worker', 'job')
end

local function holds(found, epoch, worker)
  return found[1] == 'leased' and found[5] == epoch and found[6] == worker
end

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
  if kind == 'attempt' then
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
