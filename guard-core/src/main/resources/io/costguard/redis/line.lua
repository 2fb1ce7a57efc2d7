-- The line of a subject: the calls that wait for it, in the order in which they asked. Goes before guard.lua, which makes these
-- functions only for a batch that names lines: those that read, and where something about a line changes or is decided by who
-- stands in it, those that do.
--
-- A line's key holds a sorted set: each waiting call at its place, and each process that waits at minus the TIME of its last
-- heartbeat; at -1 one whose calls are being dropped. A member: process c12, number I6, place I7, deadline I7 (TIME), count B, and
-- of each limit that it asks something of: name I3, amount I7. A place is the TIME at which the call asked, or one more than the
-- highest so far: no two members of a line have the same, and a call has the same in all its lines.
--
-- What a subject's value has after its limits while anybody waits, or a hold lasts; its life is told as 128 more then. First what a
-- newcomer needs to know, fields that are read with the limits: hold I7 (TIME until which nobody goes), size I4, seen I7 (TIME at
-- which a process last showed in it that it lives), how many bytes follow these fields H; of each limit of the head: sum I7 of what
-- waits. Then highest place I7, until I7 (TIME at which the line's key ends), after I7, turn's place I7, moment I7 (0: not told),
-- turn's member with its length H; of each limit of the head: told I7, what of its sum waits up to the place `after`; count B of
-- other limits that anybody waits for, and of each: name I3, sum I7, told I7.
--
-- The turn is the first call that has not been told that this line covers it. Those up to `after` have been: they wait for
-- something else. A script that moves the turn, or brings its moment more than 50 ms nearer, tells it to its process.

local LINE_DEAD = 10000000

-- What a value has of its line from there on, and where it ends; nothing if it is damaged.
local function readLine(value, from)
  local unpack, byte = struct.unpack, string.byte
  local count, line = byte(value) % 32, nil
  local rest = from + 20 + count * 7
  if rest + 37 + count * 7 > #value then
    return nil
  end
  local hold, size, seen, bytes = unpack('>I7I4I7H', value, from)
  local last, till, after, place, moment, length, at = unpack('>I7I7I7I7I7H', value, rest)
  local told, ends = at + length, rest + bytes
  local others = told + count * 7
  if ends - 1 > #value or others >= ends or others + 1 + byte(value, others) * 17 ~= ends then
    return nil
  end
  line = { hold = hold, size = size, seen = seen, last = last, till = till, after = after, place = place, moment = moment }
  line.turn, line.sums, line.told = string.sub(value, at, told - 1), {}, {}
  for j = 0, count - 1 do
    local id = unpack('>I3', value, j * 7 + 2)
    local name = id % 8 == 1 and id - 1 or id
    line.sums[name], line.told[name] = unpack('>I7', value, rest - (count - j) * 7), unpack('>I7', value, told + j * 7)
  end
  for other = others + 1, ends - 1, 17 do
    local name, sum, known = unpack('>I3I7I7', value, other)
    line.sums[name], line.told[name] = sum, known
  end
  return line, ends
end

-- Which limit of a part keeps a newcomer from going at once, for how long (-1 if none does), and what stands before it; and
-- whether that is known without a look at the line: it would be kept even if nobody stood there, and who does may still live. Where
-- nobody goes, that is most likely for a limit that has a cool-down. A share that must stay free is in percent.
local function newcomerLacks(q, now, f, o, n, at, wait, coolDowns, share, percent)
  local line, k, m, IN_FLIGHT = f.line, 4, o + 5, -5
  local hold, size, seen
  if at then
    hold, size, seen = f[at] - now, f[at + 1], f[at + 2]
  else
    hold, size, seen = line.hold - now, line.size, line.seen
  end
  local blocked = hold > 0 or (share and size > 0)
  local longest, limit, ahead, alone = -1, nil, 0, hold > 0
  for j = 1, q[o] do
    local amount = q[n + j]
    if amount > 0 then
      local parts, balance, before = q[m + 2], f[k], 0
      local capacity = q[m] / parts
      if at then
        before = f[at + 3 + j]
      else
        local id = struct.unpack('>I3', q[o + 3], j * 7 - 5)
        before = line.sums[id % 8 == 1 and id - 1 or id] or 0
      end
      if amount > capacity then
        amount = capacity
      end
      if share then
        amount = amount + percent(capacity, share)
      end
      local short = balance < (amount + before) * parts
      if short or blocked then
        -- A call in flight may end at any moment.
        local longer = short and q[m + 1] ~= IN_FLIGHT and wait(f, o, j, amount + before) or 0
        alone = alone or balance < amount * parts
        if longer < hold then
          longer = hold
        end
        local cools = hold > 0 and longer == longest and coolDowns and coolDowns[o * 32 + j]
        if longer > longest or (cools and not coolDowns[o * 32 + limit]) then
          longest, limit, ahead = longer, j, before
        end
      end
    end
    k, m = k + 2, m + 3
  end
  return longest, limit, ahead, limit and alone and (size == 0 or now - seen < LINE_DEAD)
end

local function lineFunctions(q, now, states, values, unread, keys, waitFor, coolDowns)
  local SILENT, NEARER, BEYOND, SCANNED, PASSED = 3000000, 50000, 60000000, 1000, 100
  local JOIN, ASK, LEAVE, BEAT, HOLD, LEAVING, UP_TO, STAND = 1, 2, 3, 4, 5, 6, 7, 8
  local MAX, CANCEL, WITH_LINES, MEMBER = 9007199254740991, 2, 8, 33
  local WRONG_TYPE, DAMAGED, LINE_NEEDED, RENEWED = 1, 3, 5, 127
  local DROPPED, IN_FLIGHT = '-1', -5
  local pack, unpack, byte, sub, max, min = struct.pack, struct.unpack, string.byte, string.sub, math.max, math.min
  local fmod = math.fmod
  local wakes, isOpen, namesOf = {}, {}, {}
  local process, channel = q[q[5] + 9], q[q[5] + 10]
  local cancels = q[1] % WITH_LINES == CANCEL

  local function percent(capacity, share)
    local rest = capacity % 100
    return (capacity - rest) / 100 * share + math.ceil(rest * share / 100)
  end

  local function whole(number)
    return string.format('%.0f', number)
  end

  -- The limits of a budget, under names that do not tell a bucket from a long one.
  local function names(o)
    local named = namesOf[o]
    if not named then
      named = {}
      for j = 1, q[o] do
        local id = unpack('>I3', q[o + 3], j * 7 - 5)
        named[j] = id % 8 == 1 and id - 1 or id
      end
      namesOf[o] = named
    end
    return named
  end

  -- Nothing for what this library did not write.
  local function parsed(member)
    local length = #member - MEMBER
    if length < 0 or length ~= byte(member, MEMBER) * 10 then
      return nil
    end
    local call = { member = member, amounts = {} }
    local count, at
    call.process, call.number, call.place, call.deadline, count, at = unpack('>c12I6I7I7B', member)
    for _ = 1, count do
      local name, amount
      name, amount, at = unpack('>I3I7', member, at)
      call.amounts[name] = amount
    end
    return call
  end

  local function restart(line)
    line.after, line.place, line.moment, line.turn, line.told = 0, 0, 0, '', {}
  end

  -- What a value has of its line.
  local function written(line, o)
    local sums, told, others, listed = {}, {}, {}, {}
    for j, name in ipairs(names(o)) do
      sums[j], told[j], listed[name] = pack('>I7', line.sums[name] or 0), pack('>I7', line.told[name] or 0), true
    end
    for name, sum in pairs(line.sums) do
      if sum > 0 and not listed[name] then
        others[#others + 1] = pack('>I3I7I7', name, sum, line.told[name] or 0)
      end
    end
    local rest = pack('>I7I7I7I7I7H', line.last, line.till, line.after, line.place, line.moment, #line.turn) .. line.turn
      .. table.concat(told) .. string.char(#others) .. table.concat(others)
    return pack('>I7I4I7H', line.hold, line.size, line.seen, #rest) .. table.concat(sums) .. rest
  end

  local function count(line, call, times)
    for name, amount in pairs(call.amounts) do
      line.sums[name] = max(0, (line.sums[name] or 0) + times * amount)
      if call.place <= line.after then
        line.told[name] = max(0, (line.told[name] or 0) + times * amount)
      end
    end
    line.size = line.size + times
  end

  -- Looks at who stands in the line of a subject, once; where its value disagrees, the members say what waits. What has no line
  -- that can be used cannot be used. Where a hold begins, none need be there: nobody stands in that of a value that has none.
  local function open(i, holds)
    local f, key = states[i], keys[i]
    local has = f and (f.line or unread[i])
    if not f or isOpen[i] or not (key or has or holds) then
      return f
    end
    local line, size = f.line, key and redis.pcall('ZCOUNT', key, '(0', '+inf') or not has and 0
    local bad = type(size) ~= 'number' and (key and WRONG_TYPE or LINE_NEEDED)
    if unread[i] then
      line = readLine(values[i + 1], q[q[i + 7] + 2] + 1)
      bad = not line and DAMAGED or bad
    end
    if bad then
      isOpen[i], states[i] = bad, false
      return false
    elseif not line then
      line = { hold = 0, size = 0, last = 0, till = 0, seen = now, sums = {} }
      restart(line)
    end
    unread[i] = nil
    line.key, f.line, isOpen[i] = key, line, true
    if line.size ~= size then
      line.size, line.sums, line.till = 0, {}, 0
      restart(line)
      for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(0', '+inf')) do
        local call = parsed(member)
        if call then
          count(line, call, 1)
          line.last, line.till = max(line.last, call.place), max(line.till, call.deadline + BEYOND)
        else
          redis.call('ZREM', key, member)
        end
      end
      line.rebuilt = true
    end
    return f
  end

  local function removed(line, call)
    redis.call('ZREM', line.key, call.member)
    count(line, call, -1)
    if call.place == line.place then
      line.place, line.moment, line.turn = 0, 0, ''
    end
    if line.size == 0 then
      line.till = 0
    end
    line.touched = true
  end

  -- The call of an operation as it stands in a line; of one that leaves and does not know where, wherever that is.
  local function found(line, op)
    local from, to = whole(op.place), whole(op.place)
    if op.place == 0 then
      if op.kind ~= LEAVE then
        return nil
      end
      from, to = '(0', '+inf'
    end
    local name = process .. pack('>I6', op.number)
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', line.key, from, to)) do
      local call = sub(member, 1, #name) == name and parsed(member)
      if call then
        return call
      end
    end
    return nil
  end

  local function tell(line, call, moment)
    -- The answer to a cancel is that to its batch.
    if call.process == process and not cancels then
      wakes[#wakes + 1] = pack('>I6I7', call.number, moment)
    else
      redis.pcall('PUBLISH', channel .. call.process, whole(call.number) .. ' ' .. whole(moment))
    end
  end

  -- How long until a limit covers `need`, in microseconds, hold or not.
  local function wait(f, o, j, need)
    if f[j * 2 + 2] >= need * q[o + 4 + j * 3] then
      return 0
    end
    return max(0, waitFor(f, o, j, need))
  end

  -- Has the turn told when it should ask, where that is news to it.
  local function touch(f, o)
    local line, named = f.line, names(o)
    for j = 1, q[o] do
      local m, told = o + 2 + j * 3, line.told[named[j]] or 0
      if told > 0 and f[j * 2 + 2] < min(told * q[m + 2], q[m]) then
        restart(line)
      end
    end
    for _ = 1, line.size > 0 and PASSED or 0 do
      if line.turn == '' then
        line.turn = redis.call('ZRANGEBYSCORE', line.key, '(' .. whole(line.after), '+inf', 'LIMIT', '0', '1')[1] or ''
        line.moment = 0
        if line.turn == '' then
          line.place = 0
          return
        end
      end
      local call = parsed(line.turn)
      if not call then
        redis.call('ZREM', line.key, line.turn)
        line.turn = ''
      elseif call.deadline < now or (line.checked and not redis.call('ZSCORE', line.key, call.process)) then
        line.place = call.place
        removed(line, call)
      else
        line.place = call.place
        local moment = max(now, line.hold)
        for j = 1, q[o] do
          local amount = call.amounts[named[j]] or 0
          if amount > 0 then
            local capacity = q[o + 2 + j * 3] / q[o + 4 + j * 3]
            local need = (line.told[named[j]] or 0) + min(amount, capacity)
            if need > capacity then
              -- No time brings that: first, one of those before it must leave.
              line.moment = 0
              return
            end
            moment = max(moment, now + wait(f, o, j, need))
          end
        end
        local news = line.moment == 0 or moment < line.moment - NEARER
        if news then
          line.moment = moment
        end
        if news or (line.checked and call.process == process) then
          tell(line, call, line.moment)
        end
        return
      end
    end
  end

  local function silentSince(line, span)
    return redis.call('ZRANGEBYSCORE', line.key, '(' .. whole(span - now), '(0')
  end

  -- Drops the calls of silent processes, some at a time; says from where to go on, 0 if there is no need. One that beats again
  -- meanwhile finds its mark, and looks what it has lost.
  local function swept(line, silent, from)
    local dead, kept = {}, 0
    for _, name in ipairs(silent) do
      dead[name] = true
      redis.call('ZADD', line.key, DROPPED, name)
    end
    local members = redis.call('ZRANGEBYSCORE', line.key, '(0', '+inf', 'LIMIT', whole(from), whole(SCANNED))
    for _, member in ipairs(members) do
      local call = dead[sub(member, 1, 12)] and parsed(member)
      if call then
        removed(line, call)
      else
        kept = kept + 1
      end
    end
    if #members == SCANNED then
      return from + kept
    end
    for _, name in ipairs(silent) do
      redis.call('ZREM', line.key, name)
    end
    return 0
  end

  -- How long a limit keeps a newcomer that asks so much of it from going.
  local function newcomerWait(f, o, j, amount)
    if amount == 0 then
      return 0
    end
    local need = amount + (f.line.sums[names(o)[j]] or 0)
    return max(q[o + 3 + j * 3] == IN_FLIGHT and 0 or wait(f, o, j, need), f.line.hold - now)
  end

  -- Which limit of a part keeps a newcomer from going at once, by a line that is open.
  local function lacksAsNewcomer(f, o, n, op)
    local line, share = f.line, op and op.kind == LEAVING and op.place or nil
    local longest, limit, ahead = newcomerLacks(q, now, f, o, n, nil, waitFor, coolDowns, share, percent)
    if limit and line.size > 0 and not line.checked then
      line.checked = true
      -- Nobody else may be left to drop the dead; who waits has had time to beat again, whatever held Redis up.
      local silent = silentSince(line, LINE_DEAD)
      if #silent > 0 then
        swept(line, silent, 0)
        return lacksAsNewcomer(f, o, n, op)
      end
    end
    return longest, limit, ahead
  end

  -- The same of a call that stands in the line: those before it have been told that they are covered, and it is now.
  local function waiterLacks(f, o, n, op)
    local line, named = f.line, names(o)
    local first = nil
    for j = 1, q[o] do
      if q[n + j] > 0 then
        first = first or j
      end
    end
    if not first then
      return -1, nil
    end
    local call = found(line, op)
    if not call then
      op.gone = true
      return 0, first
    end
    op.lines[#op.lines + 1], op.calls[#op.calls + 1] = line, call
    if call.place <= line.after and line.hold <= now then
      for j = 1, q[o] do
        local m, amount = o + 2 + j * 3, call.amounts[named[j]] or 0
        local capacity, before = q[m] / q[m + 2], max(0, (line.told[named[j]] or 0) - amount)
        local need = min(before, capacity) + min(amount, capacity)
        if need > 0 and f[j * 2 + 2] < need * q[m + 2] then
          restart(line)
          line.touched = true
          return 0, j
        end
      end
      return -1, nil
    elseif call.place ~= line.place then
      return 0, first
    end
    local short = line.hold > now and first or nil
    for j = 1, q[o] do
      local m, amount = o + 2 + j * 3, call.amounts[named[j]] or 0
      local need = (line.told[named[j]] or 0) + min(amount, q[m] / q[m + 2])
      if amount > 0 and f[j * 2 + 2] < need * q[m + 2] then
        short = short or j
      end
    end
    if short then
      line.moment, line.touched = 0, true
      return 0, short
    end
    op.covered[#op.covered + 1] = #op.lines
    return -1, nil
  end

  local function lacks(f, o, n, op, dry)
    if op and op.kind == ASK and not dry then
      local wait, limit = waiterLacks(f, o, n, op)
      return wait, limit, 0
    end
    return lacksAsNewcomer(f, o, n, op)
  end

  -- It waits for something else: the turn of the lines that cover it moves on.
  local function moveOn(op)
    for _, i in ipairs(op.covered) do
      local line, call = op.lines[i], op.calls[i]
      line.after, line.place, line.moment, line.turn, line.touched = call.place, 0, 0, '', true
      for name, amount in pairs(call.amounts) do
        line.told[name] = (line.told[name] or 0) + amount
      end
    end
  end

  -- Says whether the process was not in this line, or its calls were being dropped: then what it waits for there was lost.
  local function beat(line)
    local last = redis.call('ZSCORE', line.key, process)
    redis.call('ZADD', line.key, whole(-now), process)
    line.seen = now
    return not last or last == DROPPED, last
  end

  -- After the clock was set back, heartbeats of a time to come are of now.
  local function setBack(line, ago, mayWrite)
    line.hold, line.seen = line.hold > now and now + max(0, line.hold - ago) or line.hold, min(line.seen, now)
    for _, name in ipairs(mayWrite and redis.call('ZRANGEBYSCORE', line.key, '-inf', '(' .. whole(-now)) or {}) do
      redis.call('ZADD', line.key, whole(-now), name)
    end
  end

  -- A heartbeat drops the calls of processes that have been silent; says whether the process is new to the line, and from where the
  -- next one goes on. Where its own last one is as old, it was Redis that was silent: then nobody is dropped.
  local function heartbeat(line, from)
    local isNew, last = beat(line)
    line.checked, line.touched = true, true
    if line.last > now + SILENT then
      setBack(line, now, true)
    end
    local silent = silentSince(line, SILENT)
    if #silent == 0 then
      return isNew, 0
    elseif not isNew and -last < now - SILENT then
      for _, name in ipairs(silent) do
        if redis.call('ZSCORE', line.key, name) ~= DROPPED then
          redis.call('ZADD', line.key, whole(-now), name)
        end
      end
      return isNew, 0
    end
    return isNew, swept(line, silent, from)
  end

  -- What a call asks of each line that it may stand in: nothing of a dry run's.
  local function asked(n, parts, states)
    local list = {}
    for _ = 1, parts do
      local i = q[n] % 32768
      local f, o = states[i], q[i + 7]
      if q[n] < 32768 then
        local named, amounts = names(o), {}
        for j = 1, q[o] do
          if q[n + j] > 0 then
            amounts[named[j]] = q[n + j]
          end
        end
        list[#list + 1] = { f = f, amounts = amounts }
      end
      n = n + 1 + q[o]
    end
    return list
  end

  -- The first place behind all others.
  local function offered(parts)
    local place = now
    for _, part in ipairs(parts) do
      place = max(place, part.f.line.last + 1)
    end
    return place
  end

  -- Whether another stands there, as may be where a place was not chosen here.
  local function isTaken(op, parts)
    local place = whole(op.place)
    for _, part in ipairs(parts) do
      if next(part.amounts) and not found(part.f.line, op) and redis.call('ZCOUNT', part.f.line.key, place, place) > 0 then
        return true
      end
    end
    return false
  end

  -- Has a call stand in each line that it asks something of; says where, or nothing if a sum would be too large.
  local function joined(op, parts)
    local place = op.place > 0 and op.place or offered(parts)
    local deadline, isNew = now + op.wait, false
    for _, part in ipairs(parts) do
      for name, amount in pairs(part.amounts) do
        if amount > MAX - (part.f.line.sums[name] or 0) then
          return nil
        end
      end
    end
    for _, part in ipairs(op.looks and {} or parts) do
      local line, text, amounts = part.f.line, {}, 0
      for name, amount in pairs(part.amounts) do
        amounts = amounts + 1
        text[amounts] = pack('>I3I7', name, amount)
      end
      if amounts > 0 and not found(line, op) then
        local call = { place = place, amounts = part.amounts }
        call.member = pack('>c12I6I7I7B', process, op.number, place, deadline, amounts) .. table.concat(text)
        redis.call('ZADD', line.key, whole(place), call.member)
        isNew = beat(line) or isNew
        if place < line.last then
          restart(line)
        end
        count(line, call, 1)
        line.last, line.touched = max(line.last, place), true
        if deadline > line.till then
          line.till = deadline + BEYOND
          redis.call('PEXPIRE', line.key, whole(math.ceil((line.till - now) / 1000)))
          part.f[2] = RENEWED
        end
      end
    end
    return pack('>I7I7B', place, deadline, isNew and 1 or 0)
  end

  -- What a call is answered that is not covered: it joins, or waits on, or is denied.
  local function short(op, wait, denial, n, parts, states)
    if op.kind == ASK then
      moveOn(op)
      return op.gone and '\7' or '\6'
    elseif op.kind ~= JOIN or op.joinsLater then
      return nil
    end
    local list, mayJoin = asked(n, parts, states), wait <= op.wait or op.place > 0
    for _, part in ipairs(list) do
      mayJoin = mayJoin or #silentSince(part.f.line, SILENT) > 0
    end
    if not mayJoin then
      return nil
    end
    local where = joined(op, list)
    return where and '\5' .. where .. sub(denial, 2) or '\4\1'
  end

  -- What a call is answered that looked, and is covered: the turn may move on, whatever it lacks elsewhere.
  local function covered(op, n, parts, states)
    if op.kind == ASK then
      moveOn(op)
    end
    return pack('>BI7', 13, op.kind == ASK and op.place or offered(asked(n, parts, states)))
  end

  -- A call that is let go leaves its lines.
  local function leave(op, n, parts, states)
    for _ = 1, op.place > 0 and parts or 0 do
      local i = q[n] % 32768
      local line = states[i].line
      local call = line and op.kind ~= LEAVING and found(line, op)
      if call then
        removed(line, call)
      end
      n = n + 1 + q[q[i + 7]]
    end
  end

  local function hold(f, span)
    -- Those who have been told that they are covered are not, and must be told again.
    restart(f.line)
    f.line.hold, f.line.touched, f[2] = max(f.line.hold, now + span), true, RENEWED
  end

  -- A newcomer was not covered: where a limit alone has less than it asks, and a cool-down, that begins, unless nobody goes as it is.
  -- One that leaves others their share begins none. Says whether one was due; without its line there is nothing to be done. Of a call
  -- that is asked again before it may begin one nothing is done, and it does not join meanwhile.
  local coolDown = coolDowns and function(i, o, n, op, isAskedAgain)
    local f, at, span = states[i], unread[i], 0
    local till = at and f[at] or f.line and f.line.hold or 0
    local isNew = not op or op.kind == UP_TO or op.kind == 0 or (op.kind == JOIN and op.place == 0)
    for j = 1, isNew and till <= now and q[o] or 0 do
      local m, amount = o + 2 + j * 3, q[n + j]
      if amount > 0 and f[j * 2 + 2] < min(amount * q[m + 2], q[m]) then
        span = max(span, coolDowns[o * 32 + j] or 0)
      end
    end
    if span > 0 and isAskedAgain then
      if op then
        op.joinsLater = true
      end
      return false
    elseif span > 0 and open(i, true) then
      hold(f, span)
    end
    return span > 0
  end

  -- A line that nobody stands in is not kept, unless for a hold.
  local function close(f)
    local line = f.line
    if line.size == 0 and line.touched and line.key then
      redis.call('DEL', line.key)
    end
    if line.size == 0 and line.hold <= now then
      f.line = nil
    else
      f.tailUntil = max(f.tailUntil or 0, line.till, line.hold)
    end
  end

  -- Leaves, heartbeats, holds, and calls that stand in line from now on: what they answer, and the field after them.
  local function act(op, parts, n, states)
    local usable, result, first = true, '\8', n
    for _ = 1, parts do
      local i = q[n] % 32768
      local f = states[i]
      if not f then
        usable = false
      elseif op.kind == BEAT then
        local isNew, from = heartbeat(f.line, op.place)
        result = pack('>BI4B', 9, from, isNew and 1 or 0)
      elseif op.kind == HOLD then
        hold(f, op.wait)
      elseif op.kind == LEAVE then
        local call = found(f.line, op)
        if call then
          removed(f.line, call)
        end
      end
      n = n + 1 + q[q[i + 7]]
    end
    if usable and op.kind == STAND then
      local list = asked(first, parts, states)
      local where = not isTaken(op, list) and joined(op, list)
      result = where and '\11' .. where or where == nil and '\4\1' or pack('>BI7', 12, offered(list))
    end
    return usable and result or '\0', n
  end

  -- Has the request ask for as many pieces, of so many, as all limits have room for beyond what waits. Where that is not even one,
  -- one is decided, as any call is; nothing bounds them that only tells, but for what is exact.
  local function upTo(op, parts, n, states)
    if op.kind ~= UP_TO then
      return
    end
    local share, at = op.place % 128, n
    local most = (op.place - share) / 128
    op.kind, op.place = share > 0 and LEAVING or op.wait > 0 and JOIN or UP_TO, share
    for _ = 1, parts do
      local i = q[at] % 32768
      local dry, f, o = q[at] >= 32768, states[i], q[i + 7]
      if not dry and (not f or f.line.hold > now or (share > 0 and f.line.size > 0)) then
        most = 1
      end
      for j = 1, most > 1 and q[o] or 0 do
        local piece, room = q[at + j], MAX
        if piece > 0 then
          if not dry then
            local each = q[o + 4 + j * 3]
            local kept = (f.line.sums[names(o)[j]] or 0) + percent(q[o + 2 + j * 3] / each, share)
            piece, room = piece * each, f[j * 2 + 2] - kept * each
          end
          most = min(most, (room - fmod(room, piece)) / piece)
        end
      end
      at = at + 1 + q[o]
    end
    op.pieces, at = max(1, most), n
    for _ = 1, parts do
      local last = at + q[q[q[at] % 32768 + 7]]
      for amount = at + 1, last do
        q[amount] = q[amount] * op.pieces
      end
      at = last + 1
    end
  end

  local function acts(op)
    return op.kind == LEAVE or op.kind == BEAT or op.kind == HOLD or op.kind == STAND
  end

  return {
    written = written, open = open, isOpen = isOpen, touch = touch, lacks = lacks, acts = acts, act = act, upTo = upTo,
    newcomerWait = newcomerWait, coolDown = coolDown, short = short, covered = covered, leave = leave, close = close, setBack = setBack,
    wakes = wakes,
  }
end
