/* Sends the same request under one of three load models, and reports the latencies.
 *
 *   load closed --port P --path /x --token T --connections 64 --warmup 1 --seconds 5
 *   load rate   --port P --path /x --token T --connections 512 --rate 800 --seconds 5
 *   load burst  --port P --path /x --token T --connections 50 --rounds 5
 *
 * closed: each client sends the next request as soon as it has a response; responses within the
 *         window count.
 * rate:   a request is due every 1/RATE s whatever the server does. Its latency counts from then,
 *         not from when a client was free to send it: no coordinated omission.
 * burst:  all clients send a request at once, on open connections. The first round is reported
 *         separately, as "first".
 *
 * Prints "measuring" when the window opens, "measured" when it closes, and a JSON object.
 * --samples FILE also writes each latency, in microseconds.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "latencies.h"

enum { MAX_CLIENTS = 4096, MAX_STATUSES = 600 };
static const int64_t SECOND = 1000000000, TIMEOUT = 10 * SECOND;

static int port, count = 64, rounds = 5;
static double warmup = 0, seconds = 5, rate;
static const char *path = "/", *token = "", *samples;

static Client clients[MAX_CLIENTS];
static Latencies latencies, first;
static long statuses[MAX_STATUSES];
static int64_t opens, closes;
static int in_flight;

static Client *idle[MAX_CLIENTS];
static int idle_count;

static void announce(const char *what)
{
    puts(what);
    fflush(stdout);
}

static void tally(Latencies *to, const Client *client, int status, int64_t at)
{
    statuses[status < MAX_STATUSES ? status : 0]++;
    if (status == 200)
        record(to, at - client->since);
}

static void handle_closed_loop_response(Client *client, int status)
{
    int64_t at = now();
    if (at >= opens && at < closes)
        tally(&latencies, client, status, at);
    if (at < closes)
        send_or_queue_request(client, at);
    else
        in_flight--;
}

static void run_closed(void)
{
    set_response_callback(handle_closed_loop_response);
    opens = now() + (int64_t)(warmup * SECOND);
    closes = opens + (int64_t)(seconds * SECOND);
    in_flight = count;
    for (int i = 0; i < count; i++)
        send_or_queue_request(&clients[i], now());
    while (now() < opens)
        serve_clients(opens);
    announce("measuring");
    while (now() < closes)
        serve_clients(closes);
    announce("measured");
    /* Wait for requests in flight: they would slow the next measurement down. */
    while (in_flight && now() < closes + TIMEOUT)
        serve_clients(closes + TIMEOUT);
}

static void handle_rate_response(Client *client, int status)
{
    in_flight--;
    idle[idle_count++] = client;
    if (client->since >= opens && client->since < closes)
        tally(&latencies, client, status, now());
}

static void run_rate(void)
{
    set_response_callback(handle_rate_response);
    int64_t begin = now(), due = begin, turn = 0;
    bool opened = false, over = false;
    opens = begin + (int64_t)(warmup * SECOND);
    closes = opens + (int64_t)(seconds * SECOND);
    for (int i = count; i--;)
        idle[idle_count++] = &clients[i];
    while (now() < closes || ((in_flight || due < closes) && now() < closes + TIMEOUT)) {
        if (!opened && now() >= opens && (opened = true))
            announce("measuring");
        if (!over && now() >= closes && (over = true))
            announce("measured");
        while (due <= now() && due < closes && idle_count) {
            in_flight++;
            send_or_queue_request(idle[--idle_count], due);
            due = begin + (int64_t)((double)++turn / rate * SECOND);
        }
        int64_t next = over ? closes + TIMEOUT : opened ? closes : opens;
        serve_clients(idle_count && due < next ? due : next);
    }
    if (!over)
        announce("measured");
    /* Requests that were due and got no response count as errors. */
    statuses[0] += in_flight;
    for (; due < closes; due = begin + (int64_t)((double)++turn / rate * SECOND))
        statuses[0]++;
}

static Latencies *round_latencies;

static void handle_burst_response(Client *client, int status)
{
    in_flight--;
    tally(round_latencies, client, status, now());
}

static void connect_all_clients(void)
{
    int64_t deadline = now() + SECOND / 5;
    for (int i = 0; i < count; i++)
        if (clients[i].state == CLOSED)
            open_client(&clients[i]);
    while (now() < deadline)
        serve_clients(deadline);
}

static void run_burst(void)
{
    set_response_callback(handle_burst_response);
    for (int round = 0; round <= rounds; round++) {
        round_latencies = round ? &latencies : &first;
        connect_all_clients();
        if (round == 1)
            announce("measuring");
        int64_t start = now(), deadline = start + 3 * TIMEOUT;
        in_flight = count;
        for (int i = 0; i < count; i++)
            send_or_queue_request(&clients[i], start);
        while (in_flight && now() < deadline)
            serve_clients(deadline);
        if (in_flight) {
            fprintf(stderr, "load: %d responses are missing\n", in_flight);
            exit(1);
        }
    }
    announce("measured");
}

static void report(double duration)
{
    long errors = 0;
    printf("{\"requests\": %zu, \"seconds\": %.3f, \"throughput\": %.1f, ", latencies.count,
           duration, duration > 0 ? (double)latencies.count / duration : 0);
    print_percentiles(&latencies);
    if (first.count) {
        printf(", \"first\": {");
        print_percentiles(&first);
        printf("}");
    }
    printf(", \"statuses\": {");
    for (int i = 0, some = 0; i < MAX_STATUSES; i++)
        if (statuses[i]) {
            printf("%s\"%d\": %ld", some++ ? ", " : "", i, statuses[i]);
            errors += i == 200 ? 0 : statuses[i];
        }
    printf("}, \"errors\": %ld}\n", errors);
}

static void read_options(int words, char **word)
{
    static const struct option options[] = {
        {"port", 1, 0, 'p'},   {"path", 1, 0, 'u'},    {"token", 1, 0, 't'},
        {"warmup", 1, 0, 'w'}, {"seconds", 1, 0, 's'}, {"connections", 1, 0, 'c'},
        {"rate", 1, 0, 'r'},   {"rounds", 1, 0, 'n'},  {"samples", 1, 0, 'f'},
        {0, 0, 0, 0}};
    for (int option; (option = getopt_long(words, word, "", options, NULL)) != -1;)
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'u': path = optarg; break;
        case 't': token = optarg; break;
        case 'w': warmup = atof(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'c': count = atoi(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'n': rounds = atoi(optarg); break;
        case 'f': samples = optarg; break;
        default: exit(2);
        }
    if (count < 1 || count > MAX_CLIENTS || seconds < 0 || warmup < 0 || rounds < 1) {
        fprintf(stderr,
                "load: needs 1 to %d connections, at least 1 round, and no negative duration\n",
                MAX_CLIENTS);
        exit(2);
    }
}

int main(int words, char **word)
{
    const char *mode = words > 1 ? word[1] : "";
    read_options(words, word);
    prepare_clients(port, path, token);
    if (!strcmp(mode, "closed")) {
        run_closed();
    } else if (!strcmp(mode, "rate") && rate > 0) {
        run_rate();
    } else if (!strcmp(mode, "burst")) {
        run_burst();
        seconds = 0;
    } else {
        fprintf(stderr, "usage: load closed|rate|burst --port P ...; see the top of load.c\n");
        return 2;
    }
    report(seconds);
    if (samples)
        write_samples(&latencies, samples);
    return 0;
}
