"""What docs/benchmarks.md says in words: how things are measured, and what a section shows."""

TITLE = "Benchmarks"

INTRODUCTION = """
How Lockgate compares with the same gateway written in other ways, on one machine, in one run. The
whole of it is measured again with

    make bench

in about ten minutes (`.venv/bin/python -m tests.bench --help` tells how to measure a part of it).
Figures of another machine will differ; read the ratios.
"""

METHOD = """
## How it is measured

Everybody does the same job: verify an RS256 token, check a limit per user that is kept in Redis
and never reached, ask four services at once (Django: one after the other) and answer with one JSON
of 4.7 kB. What is measured has one core to itself; the services, Redis and the load have another.

- **Lockgate**: `lockgate serve` with Redis, one process.
- **usual**: FastAPI, one shared `httpx.AsyncClient`, `asyncio.gather`, slowapi on Redis,
  python-jose, pydantic models; uvicorn with uvloop and httptools, one process.
- **Django**: synchronous views, a `requests` session, PyJWT, django-ratelimit on Django's Redis
  cache; gunicorn with 8 sync workers, all of which count.
- **Node**: fastify with a response schema, an undici `Pool` for each service, `Promise.all`,
  @fastify/jwt, @fastify/rate-limit on ioredis; `NODE_ENV=production`, one process.
- **Node, cached**: the same with `cache: true` for @fastify/jwt, so that a token is not verified
  again for a while. Lockgate does that too: the faster of the two Nodes is the one to compare with.

How fair that is:

- Each is written as its documentation shows (`tests/bench/peers`), with the settings it comes
  with. httpx's pool too: a larger one than its 100 connections made the usual way slower, and
  some of its calls time out.
- All that is Python runs on the interpreter that runs the benchmark; another one is taken by
  `make bench PYTHON=/usr/bin/python3 VENV=.venv-bench`. One that was compiled with the defaults is
  10 to 24 % slower than a distribution's, which is what people run.
- Everybody writes its usual access log, to a file: Lockgate one line of JSON for each request,
  fastify two, uvicorn and gunicorn one of text.
- All requests carry one token and are of one user, which suits every cache of a token alike.
- The services are one program in C that answers with fixed bodies, as the demo's services give
  them for one user (`tests/bench/native/upstream.c`); how much of its core it used is told below.
- CPU time is what the kernel's scheduler counted for a process and all its children, in
  nanoseconds, from the opening of the measured window to its end.
- The load is a program in C as well (`tests/bench/native/load.c`), over connections that are kept
  where the server keeps them (gunicorn's sync workers do not). A request that is not answered 200
  ends the measurement, but for the constant rate, where it is counted.
- What is not about peers is measured elsewhere: `.venv/bin/python -m pytest -m bench -s` looks at
  limits that stay exact over several processes, and at a service that hangs.
- Percentiles are exact: every latency is kept, and the nearest rank taken.
"""

CPU = """
## One dashboard, flat out

{connections} clients that ask again as soon as they have their answer; services that answer at
once. The contenders take turns, {rounds} rounds of it; a figure is the median of the rounds, with
the least and the most in brackets. A ratio is taken round by round.
"""

RATE = """
## At a constant rate

So many requests are due each second, whether the gateway keeps up or not, and a latency counts
from when its request was due (no coordinated omission). The rates are shares of the {capacity:.0f}
dashboards that Lockgate could do in a second, flat out.
"""

STORY = """
## One user, and fifty at once

Services of {delay_ms} ms each. One user alone, then {clients} who ask in the same moment, on
connections that are open, again and again. Before that, just started, {clients} at once: a gateway
still has to open its own connections to the services, and a worker of Django to import its views.
"""

CALLS = """
## More at once

Does a call get dearer, the more of them there are? CPU time of one `GET` of 0.3 kB on a kept
connection: through a typed client (`Users.get`, from the path to the user), through the same
transport as any user of httpx may have it (raw: an `httpx.Request` in, an `httpx.Response` out),
and through the typed client on httpx's own transport, as far as that is bearable. Inside one
process, on uvloop; the median of three passes.

![CPU of one upstream call by calls in flight](benchmarks/calls.svg)
"""

PARTS = """
And does a part? CPU time of a whole request for a composite that loads one user so many times,
divided by the parts; `lockgate serve`, {connections} clients.

![CPU of one part by parts of a composite](benchmarks/parts.svg)
"""

SOAK = """
## Half an hour

First 512 clients at once, for ten seconds; then {minutes:g} minutes at {rate:.0f} dashboards a
second, which is {share:.0%} of what it can do: {requests:,} requests, {errors} of them not answered
200, p50 {p50} ms, p99 {p99} ms. After a warm-up of {warmup:g} minutes its resident memory changes
by {slope:+.2f} MB in ten minutes (least squares); {files} file descriptors were open at most, and a
dashboard took {first} ms of CPU in the minute after the warm-up and {last} ms in the last one.

![Memory over time](benchmarks/soak.svg)
"""

PROVENANCE = "## Where these figures come from"
