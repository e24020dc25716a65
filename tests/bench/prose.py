"""The text of docs/benchmarks.md: the method, and an introduction to each section."""

TITLE = "Benchmarks"

INTRODUCTION = """
This page compares Lockgate with the same gateway written in other frameworks, measured on one
machine in one run. To measure everything again, which takes about 15 minutes, run

    make bench

`.venv/bin/python -m tests.bench --help` lists the options that measure only a part of it. Absolute
figures depend on the machine; compare the ratios.
"""

METHOD = """
## Method

Every contender does the same work. It verifies an RS256 token, checks a limit per user that is kept
in Redis and never reached, calls four services concurrently (Django: one after the other) and
returns one JSON document of 4.7 kB. The contender has one core to itself. The services, Redis and
the load generator share another core.

- **Lockgate**: `lockgate serve` with Redis, one process.
- **usual**: FastAPI, one shared `httpx.AsyncClient`, `asyncio.gather`, slowapi on Redis,
  python-jose, pydantic models; uvicorn with uvloop and httptools, one process.
- **Django**: synchronous views, a `requests` session, PyJWT, django-ratelimit on Django's Redis
  cache; gunicorn with 8 sync workers. The figures include all workers.
- **Node**: fastify with a response schema, an undici `Pool` for each service, `Promise.all`,
  @fastify/jwt, @fastify/rate-limit on ioredis; `NODE_ENV=production`, one process.
- **Node, cached**: the same with `cache: true` for @fastify/jwt, which caches verified tokens.
  Lockgate has such a cache too, so the faster of the two Node contenders is the reference.

Details that affect fairness:

- Each contender is written as the documentation of its framework shows (`tests/bench/peers`), with
  default settings. This includes httpx's pool of 100 connections: a larger pool made "usual"
  slower, and some of its calls timed out.
- All Python contenders run on the interpreter that runs the benchmark. To use another one, run
  `make bench PYTHON=/usr/bin/python3 VENV=.venv-bench`. An interpreter compiled with default flags
  is 10 to 24 % slower than one from a Linux distribution, which most deployments use.
- Every contender writes its usual access log to a file: Lockgate one JSON line for each request,
  fastify two JSON lines, uvicorn and gunicorn one text line.
- All requests carry the same token and belong to one user. This suits every token cache equally.
- The services are one C program with fixed response bodies, taken from the demo services for one
  user (`tests/bench/native/upstream.c`). The CPU section states how much of its core it used.
- CPU time is the time that the kernel's scheduler counted for a process and its children during
  the measured window, in nanoseconds.
- The load generator is also a C program (`tests/bench/native/load.c`). It uses keep-alive
  connections where the server supports them (gunicorn's sync workers do not). A response other than
  200 aborts the measurement, except at a constant rate, where it is counted.
- `make prove` runs the proofs that involve no peers, such as limits that stay exact over several
  processes and latency while a service hangs.
- Percentiles are exact: the load generator records every latency and takes the nearest rank.
"""

CPU = """
## CPU time and throughput of a dashboard

{connections} clients send the next request as soon as they have a response, and the services
respond immediately. The contenders take turns for {rounds} rounds. Each figure is the median of the
rounds, followed by the minimum and the maximum in brackets. Ratios are computed for each round.
"""

PROXY = """
## Proxied requests

Each proxy verifies the same RS256 token and its scope, and passes the request on with the identity
of the caller: Lockgate as an internal token, the others as a header field. **usual** is FastAPI
with `client.send(stream=True)` and `StreamingResponse`, **Node** is fastify with
@fastify/http-proxy and @fastify/jwt. **nginx** has `proxy_pass` with buffering off and verifies no
token: it is the floor of a proxy in C. {connections} clients request one JSON document of 0.6 kB
from a service that responds immediately.

By default nginx moves a body through a buffer of 8 kB, with two system calls for each buffer. With
**large buffers** of 256 kB it makes as few system calls as Lockgate. The kernel copies each byte in
and out for all proxies. Lockgate's own time is that of copies between its buffers and of Python.
"""

TOKENS = """
## Token endpoint

The table has the CPU time of one request to the token endpoint or to the introspection endpoint,
with {connections} requests in flight, and one for a new secret. Both servers sign with ES256.
**Lockgate** has its clients and the ids of used assertions in a SQLite file, and counts attempts in
Redis, whose own time is not in the table. A secret that is new to a process takes one slow hash
(scrypt), and is known from then on. **oidc-provider** is a certified server for Node. Its default
adapter keeps everything in memory, and it compares secrets as they are. It introspects an opaque
token, Lockgate a JWT. It has no token exchange.
"""

TRANSFERS = """
The next table has a download and an upload of {gigabytes:g} GB in one request, on one connection.
Memory is the peak of the resident set above its value before the transfer. An event is delayed from
the time at which the service sends it to the time at which the client has it.
"""

RATE = """
## Latency at a constant rate

The load generator sends requests at a fixed rate, whether or not the gateway keeps up, and measures
each latency from the time at which the request was due (no coordinated omission). The rates are
shares of Lockgate's maximum throughput of {capacity:.0f} dashboards per second.
"""

STORY = """
## Latency for 1 and for 50 concurrent clients

Each service responds after {delay_ms} ms. First one client sends requests, then {clients} clients
send a request at the same moment, repeatedly, on open connections. The last column is the first
request of {clients} clients after start-up: a gateway then still has to open its connections to
the services, and Django workers have to import their views.
"""

CALLS = """
## Cost of calls and parts under concurrency

The chart shows the CPU time of one `GET` of 0.3 kB on a keep-alive connection, by the number of
calls in flight:

- typed client: `Users.get`, from the path to the decoded user;
- raw transport: the same transport through httpx's interface, from an `httpx.Request` to an
  `httpx.Response`;
- httpx's transport: the typed client on httpx's own transport, up to 128 calls in flight.

All three run in one process on uvloop. Each figure is the median of three passes.

![CPU of one upstream call by calls in flight](benchmarks/calls.svg)
"""

PARTS = """
The next chart shows the CPU time of a whole request for a composite that loads the same user in
each of its parts, divided by the number of parts, with `lockgate serve` and {connections} clients.

![CPU of one part by parts of a composite](benchmarks/parts.svg)
"""

SOAK = """
## Memory over {minutes:g} minutes

After ten seconds with 512 concurrent clients, the load is {rate:.0f} dashboards per second for
{minutes:g} minutes, {share:.0%} of Lockgate's maximum throughput. Of {requests:,} requests,
{errors} received a response other than 200; p50 was {p50} ms and p99 {p99} ms. After a warm-up of
{warmup:g} minutes the resident memory changes by {slope:+.2f} MB in 10 minutes (least squares). At
most {files} file descriptors were open. A dashboard used {first} ms of CPU time in the minute after
the warm-up and {last} ms in the last minute.

![Memory over time](benchmarks/soak.svg)
"""

PROVENANCE = "## Provenance of the figures"

UNCOMMITTED = "A plus sign after a commit means that the product had uncommitted changes."
