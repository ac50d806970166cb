/* coord_redis_lua.c - the scripts: every operation of port/coord.h as one, so
 * that each is atomic. They run on Redis' clock, never on ours.
 *
 * KEYS  1 the key K, 2 K:epoch of a lease (never expires), 3 K:until of a pool,
 *       4 and 5 the guard's lease and its epoch
 * ARGV  1 and 2 the guard's owner and epoch, both empty without a guard; then
 *       the operation's own
 *
 * They answer {word, results...}. Numbers beyond 2^53 are not exact in Lua, so
 * what may be as large (epochs, bytes) is kept as two halves of ten digits.
 *
 * A key exists while now < at, as the port has it; Redis keeps keys until their
 * time is past, so theirs is one less. SPDX-License-Identifier: Apache-2.0 */
#include "io/coord_redis_impl.h"

const char coord_lua_prelude[] =
    "local K, E, U = KEYS[1], KEYS[2], KEYS[3]\n"
    "local call, floor, max = redis.call, math.floor, math.max\n"
    "local time = call('TIME')\n"
    "local us = time[1] * 1000000 + time[2]\n"
    "local now = floor(us / 1000)\n"

    "local function num(n) return string.format('%.0f', n) end\n"

    "local function big(s)\n"
    "  if #s <= 10 then return {0, tonumber(s)} end\n"
    "  return {tonumber(s:sub(1, -11)), tonumber(s:sub(-10))}\n"
    "end\n"
    "local function text(b)\n"
    "  if b[1] == 0 then return num(b[2]) end\n"
    "  return string.format('%.0f%010.0f', b[1], b[2])\n"
    "end\n"
    "local function less(a, b)\n"
    "  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])\n"
    "end\n"
    "local function add(a, b)\n"
    "  local low = a[2] + b[2]\n"
    "  if low < 1e10 then return {a[1] + b[1], low} end\n"
    "  return {a[1] + b[1] + 1, low - 1e10}\n"
    "end\n"
    "local function sub(a, b)\n"
    "  local low = a[2] - b[2]\n"
    "  if low >= 0 then return {a[1] - b[1], low} end\n"
    "  return {a[1] - b[1] - 1, low + 1e10}\n"
    "end\n"

    "local function expire(k, at)\n"
    "  call('PEXPIREAT', k, num(max(at - 1, now + 1)))\n"
    "end\n"

    /* A pool is a hash with a field that has no name; a bucket is a string
     * that says so; a string without an epoch is not ours. */
    "local function kind()\n"
    "  local t = call('TYPE', K).ok\n"
    "  if t == 'none' then\n"
    "    return call('EXISTS', E) == 1 and 'lease' or t\n"
    "  end\n"
    "  if t == 'hash' then\n"
    "    return call('HEXISTS', K, '') == 1 and 'pool' or t\n"
    "  end\n"
    "  if t ~= 'string' then return t end\n"
    "  if call('EXISTS', E) == 1 then return 'lease' end\n"
    "  return call('GETRANGE', K, 0, 4) == 'gcra ' and 'bucket' or 'text'\n"
    "end\n"
    "local function other(wanted)\n"
    "  local k = kind()\n"
    "  return k ~= 'none' and k ~= wanted\n"
    "end\n"

    "local function stale()\n"
    "  return ARGV[2] ~= '' and\n"
    "    (redis.pcall('GET', KEYS[4]) ~= ARGV[1] or\n"
    "     redis.pcall('GET', KEYS[5]) ~= ARGV[2])\n"
    "end\n";

/* --- leases: K is the owner, with a time to live; K:epoch has none -------- */

/* owner, ttl, floor */
static const char lease_take[] =
    "local k, holder = kind()\n"
    "if k ~= 'none' and k ~= 'lease' and k ~= 'text' then\n"
    "  return {'inval'}\n"
    "end\n"
    "holder = call('GET', K)\n"
    "if holder and holder ~= ARGV[3] then\n"
    "  local left = call('PTTL', K)\n"
    "  return {'busy', num(left < 0 and ARGV[4] or left + 1)}\n"
    "end\n"
    "local epoch = add(big(call('GET', E) or '0'), {0, 1})\n"
    "for _, least in ipairs({num(now), ARGV[5]}) do\n"
    "  least = big(least)\n"
    "  if less(epoch, least) then epoch = least end\n"
    "end\n"
    "call('SET', E, text(epoch))\n"
    "call('SET', K, ARGV[3])\n"
    "expire(K, now + ARGV[4])\n"
    "return {'ok', text(epoch)}\n";

/* owner, epoch, ttl; 0 frees it */
static const char lease_keep[] =
    "if other('lease') then return {'inval'} end\n"
    "if call('GET', K) ~= ARGV[3] or call('GET', E) ~= ARGV[4] then\n"
    "  return {'conflict'}\n"
    "end\n"
    "if ARGV[5] == '0' then\n"
    "  call('DEL', K)\n"
    "else\n"
    "  expire(K, now + ARGV[5])\n"
    "end\n"
    "return {'ok'}\n";

/* --- hashes and sorted sets ----------------------------------------------- */

/* ttl, then names and values; 256 fields as in coord_store.c */
static const char hash_put[] =
    "if stale() then return {'conflict'} end\n"
    "if other('hash') then return {'inval'} end\n"
    "local n = call('HLEN', K)\n"
    "for i = 4, #ARGV, 2 do\n"
    "  n = n + 1 - call('HEXISTS', K, ARGV[i])\n"
    "end\n"
    "if n > 256 then return {'toobig'} end\n"
    "call('HSET', K, unpack(ARGV, 4))\n"
    "if ARGV[3] ~= '0' then expire(K, now + ARGV[3]) end\n"
    "return {'ok'}\n";

/* cap */
static const char hash_get[] =
    "local k = kind()\n"
    "if k == 'none' then return {'noent'} end\n"
    "if k ~= 'hash' then return {'inval'} end\n"
    "if call('HLEN', K) > tonumber(ARGV[3]) then return {'toobig'} end\n"
    "return {'ok', call('HGETALL', K)}\n";

static const char del[] = "if stale() then return {'conflict'} end\n"
                          "local k = kind()\n"
                          "if k == 'none' then return {'noent'} end\n"
                          "if k == 'lease' then return {'inval'} end\n"
                          "call('DEL', K)\n"
                          "if k == 'pool' then call('DEL', U) end\n"
                          "return {'ok'}\n";

/* ttl, member, score */
static const char zset_put[] =
    "if stale() then return {'conflict'} end\n"
    "if other('zset') then return {'inval'} end\n"
    "call('ZADD', K, ARGV[5], ARGV[4])\n"
    "if ARGV[3] ~= '0' then expire(K, now + ARGV[3]) end\n"
    "return {'ok'}\n";

/* Behind all others: the score of who comes next, at least LEAST. */
#define BEHIND                                                         \
    "local function behind(k, least)\n"                                \
    "  local top = call('ZREVRANGE', k, 0, 0, 'WITHSCORES')\n"         \
    "  return num(max(tonumber(least), top[2] and top[2] + 1 or 1))\n" \
    "end\n"

/* ttl, member, least score */
static const char zset_raise[] =
    BEHIND "if stale() then return {'conflict'} end\n"
           "if other('zset') then return {'inval'} end\n"
           "call('ZADD', K, behind(K, ARGV[5]), ARGV[4])\n"
           "if ARGV[3] ~= '0' then expire(K, now + ARGV[3]) end\n"
           "return {'ok'}\n";

/* prefix, above which score, how many. What hangs on a member is a hash mostly,
 * so that is tried first. */
static const char changed[] =
    "if other('zset') then return {'inval'} end\n"
    "local function its()\n"
    "  local f = redis.pcall('HGETALL', K)\n"
    "  if not f.err then\n"
    "    return call('HEXISTS', K, '') == 1 and {} or f\n"
    "  end\n"
    "  return kind() == 'text' and {'', call('GET', K)} or {}\n"
    "end\n"
    "local top = call('ZREVRANGE', K, 0, 0, 'WITHSCORES')[2] or 0\n"
    "local list = call('ZRANGEBYSCORE', K, '(' .. ARGV[4], '+inf',\n"
    "                  'WITHSCORES', 'LIMIT', 0, ARGV[5])\n"
    "local out = {}\n"
    "for i = 1, #list, 2 do\n"
    "  K = ARGV[3] .. list[i]\n"
    "  E = K .. ':epoch'\n"
    "  out[#out + 1] = list[i]\n"
    "  out[#out + 1] = list[i + 1]\n"
    "  out[#out + 1] = its()\n"
    "end\n"
    "return {'ok', num(max(tonumber(top), 0)), out}\n";

/* member */
static const char zset_del[] =
    "if stale() then return {'conflict'} end\n"
    "if other('zset') then return {'inval'} end\n"
    "return {call('ZREM', K, ARGV[3]) == 1 and 'ok' or 'noent'}\n";

/* cap */
static const char zset_range[] =
    "if other('zset') then return {'inval'} end\n"
    "if ARGV[3] == '0' then return {'ok', {}} end\n"
    "return {'ok', call('ZRANGE', K, 0, ARGV[3] - 1, 'WITHSCORES')}\n";

/* --- texts, and several changes as one ------------------------------------ */

/* ttl, value */
static const char text_put[] =
    "if stale() then return {'conflict'} end\n"
    "if other('text') then return {'inval'} end\n"
    "call('SET', K, ARGV[4])\n"
    "if ARGV[3] ~= '0' then expire(K, now + ARGV[3]) end\n"
    "return {'ok'}\n";

static const char text_get[] = "local k = kind()\n"
                               "if k == 'none' then return {'noent'} end\n"
                               "if k ~= 'text' then return {'inval'} end\n"
                               "return {'ok', call('GET', K)}\n";

/* How many, then for each: a letter, ttl, how many more, those. Their keys are
 * the last of KEYS. First all are looked at, then all are done. */
static const char all[] =
    BEHIND "if stale() then return {'conflict'} end\n"
           "local n, at, todo, did = tonumber(ARGV[3]), 4, {}, 0\n"
           "local kinds = {h = 'hash', t = 'text', z = 'zset', r = 'zset',\n"
           "  u = 'zset'}\n"
           "for i = 1, n do\n"
           "  K = KEYS[#KEYS - n + i]\n"
           "  E = K .. ':epoch'\n"
           "  local op, k, more = ARGV[at], kind(), tonumber(ARGV[at + 2])\n"
           "  local first, last = at + 3, at + 2 + more\n"
           "  at = last + 1\n"
           "  if op == 'd' and k == 'lease' then return {'inval'} end\n"
           "  if op ~= 'd' and k ~= 'none' and k ~= kinds[op] then\n"
           "    return {'inval'}\n"
           "  end\n"
           "  if op == 'h' then\n"
           "    local fields = call('HLEN', K)\n"
           "    for j = first, last, 2 do\n"
           "      fields = fields + 1 - call('HEXISTS', K, ARGV[j])\n"
           "    end\n"
           "    if fields > 256 then return {'toobig'} end\n"
           "  end\n"
           "  todo[i] = {op, ARGV[first - 2], first, last, k}\n"
           "end\n"
           "for i = 1, n do\n"
           "  K = KEYS[#KEYS - n + i]\n"
           "  local op, ttl, first, last, k = unpack(todo[i])\n"
           "  if op == 'd' then\n"
           "    did = did + call('DEL', K)\n"
           "    if k == 'pool' then call('DEL', K .. ':until') end\n"
           "  elseif op == 'r' then\n"
           "    did = did + call('ZREM', K, ARGV[first])\n"
           "  else\n"
           "    if op == 'h' then\n"
           "      call('HSET', K, unpack(ARGV, first, last))\n"
           "    elseif op == 't' then\n"
           "      call('SET', K, ARGV[first])\n"
           "    elseif op == 'u' then\n"
           "      call('ZADD', K, behind(K, ARGV[first + 1]), ARGV[first])\n"
           "    else\n"
           "      call('ZADD', K, ARGV[first + 1], ARGV[first])\n"
           "    end\n"
           "    if ttl ~= '0' then expire(K, now + ttl) end\n"
           "    did = did + 1\n"
           "  end\n"
           "end\n"
           "return {'ok', num(did)}\n";

/* --- buckets and pools ---------------------------------------------------- */

/* per in microseconds, burst, amount. The bucket is the time when it will be
 * full (the generic cell rate algorithm, ITU-T I.371). */
static const char bucket_take[] =
    "if other('bucket') then return {'inval'} end\n"
    "local per, burst = tonumber(ARGV[3]), tonumber(ARGV[4])\n"
    "local amount = tonumber(ARGV[5])\n"
    "if amount > burst then return {'toobig'} end\n"
    "local whole, want = burst * per, amount * per\n"
    "local full = call('GET', K)\n"
    "local lack = full and tonumber(full:sub(6)) - us or 0\n"
    "lack = math.min(max(lack, 0), whole)\n"
    "if lack + want > whole then\n"
    "  return {'again', num(floor((whole - lack) / per)),\n"
    "          num(lack + want - whole)}\n"
    "end\n"
    "if want > 0 then\n"
    "  local at = us + lack + want\n"
    "  call('SET', K, 'gcra ' .. num(at))\n"
    "  expire(K, math.ceil(at / 1000))\n"
    "end\n"
    "return {'ok', num(floor((whole - lack - want) / per))}\n";

/* A pool is a hash of members and what they have, the sum under no name, and
 * the sorted set K:until of when each is over. Both live as long as the member
 * that lives longest. */
#define POOL                                                              \
    "if other('pool') then return {'inval'} end\n"                        \
    "local sum = big(call('HGET', K, '') or '0')\n"                       \
    "local function has(m) return call('HGET', K, m) end\n"               \
    "local function drop(m)\n"                                            \
    "  sum = sub(sum, big(has(m) or '0'))\n"                              \
    "  call('HDEL', K, m)\n"                                              \
    "  call('ZREM', U, m)\n"                                              \
    "end\n"                                                               \
    "local function keep()\n"                                             \
    "  local last = call('ZREVRANGE', U, 0, 0, 'WITHSCORES')\n"           \
    "  if #last == 0 then return call('DEL', K, U) end\n"                 \
    "  call('HSET', K, '', text(sum))\n"                                  \
    "  expire(K, last[2])\n"                                              \
    "  expire(U, last[2])\n"                                              \
    "end\n"                                                               \
    "for _, m in ipairs(call('ZRANGEBYSCORE', U, '-inf', num(now))) do\n" \
    "  drop(m)\n"                                                         \
    "end\n"

/* member, amount, limit, ttl */
static const char reserve[] =
    POOL "local amount, limit = big(ARGV[4]), big(ARGV[5])\n"
         "local others = sub(sum, big(has(ARGV[3]) or '0'))\n"
         "if less(limit, add(others, amount)) then\n"
         "  keep()\n"
         "  return {'nospc', text(sum)}\n"
         "end\n"
         "sum = add(others, amount)\n"
         "call('HSET', K, ARGV[3], text(amount))\n"
         "call('ZADD', U, num(now + ARGV[6]), ARGV[3])\n"
         "keep()\n"
         "return {'ok', text(sum)}\n";

/* member */
static const char release[] = POOL "local was = has(ARGV[3])\n"
                                   "if was then drop(ARGV[3]) end\n"
                                   "keep()\n"
                                   "return {was and 'ok' or 'noent'}\n";

const char *const coord_lua[COORD_OPS] = {
    [COORD_LEASE_TAKE] = lease_take,
    [COORD_LEASE_RENEW] = lease_keep,
    [COORD_LEASE_FREE] = lease_keep,
    [COORD_HASH_PUT] = hash_put,
    [COORD_HASH_GET] = hash_get,
    [COORD_DEL] = del,
    [COORD_ZSET_PUT] = zset_put,
    [COORD_ZSET_RAISE] = zset_raise,
    [COORD_ZSET_DEL] = zset_del,
    [COORD_ZSET_RANGE] = zset_range,
    [COORD_CHANGED] = changed,
    [COORD_BUCKET_TAKE] = bucket_take,
    [COORD_RESERVE] = reserve,
    [COORD_RELEASE] = release,
    [COORD_TEXT_PUT] = text_put,
    [COORD_TEXT_GET] = text_get,
    [COORD_ALL] = all,
};
