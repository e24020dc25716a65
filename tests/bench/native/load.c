/* Asks a server the same thing under one of three loads, and says how long the answers took.
 *
 *   load closed --port P --path /x --token T --connections 64 --warmup 1 --seconds 5
 *   load rate   --port P --path /x --token T --connections 512 --rate 800 --seconds 5
 *   load burst  --port P --path /x --token T --connections 50 --rounds 5
 *
 * closed: every client asks again as soon as it has its answer; answers of the window count.
 * rate:   a request is due every 1/RATE s whatever the server does, and its latency counts from
 *         then, not from when a client was free to send it: no coordinated omission.
 * burst:  all clients ask at once, on connections that are open already; a latency counts from
 *         that moment. The first round is told apart, as "first".
 *
 * Prints "measuring" when the window opens, "measured" when it closes, and a JSON object.
 * --samples FILE writes the single latencies too, in microseconds.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "clock.h"
#include "latencies.h"

enum { MOST_CLIENTS = 4096, MOST_STATUSES = 600 };
static const int64_t SECOND = 1000000000, PATIENCE = 10 * SECOND;

static int port, count = 64, rounds = 5;
static double warmup = 0, seconds = 5, rate;
static const char *path = "/", *token = "", *samples;

static Client clients[MOST_CLIENTS];
static Latencies latencies, first;
static long statuses[MOST_STATUSES];
static int64_t opens, closes;
static int awaited;

static Client *idle[MOST_CLIENTS];
static int idle_count;

static void announce(const char *what)
{
    puts(what);
    fflush(stdout);
}

static void tally(Latencies *to, const Client *client, int status, int64_t at)
{
    statuses[status < MOST_STATUSES ? status : 0]++;
    if (status == 200)
        record(to, at - client->since);
}

static void closed_answer(Client *client, int status)
{
    int64_t at = now();
    if (at >= opens && at < closes)
        tally(&latencies, client, status, at);
    if (at < closes)
        ask(client, at);
    else
        awaited--;
}

static void run_closed(void)
{
    on_answer(closed_answer);
    opens = now() + (int64_t)(warmup * SECOND);
    closes = opens + (int64_t)(seconds * SECOND);
    awaited = count;
    for (int i = 0; i < count; i++)
        ask(&clients[i], now());
    while (now() < opens)
        serve_clients(opens);
    announce("measuring");
    while (now() < closes)
        serve_clients(closes);
    announce("measured");
    /* What is still being served would be a burden on whoever is measured next. */
    while (awaited && now() < closes + PATIENCE)
        serve_clients(closes + PATIENCE);
}

static void rate_answer(Client *client, int status)
{
    awaited--;
    idle[idle_count++] = client;
    if (client->since >= opens && client->since < closes)
        tally(&latencies, client, status, now());
}

static void run_rate(void)
{
    on_answer(rate_answer);
    int64_t begin = now(), due = begin, turn = 0;
    bool opened = false, over = false;
    opens = begin + (int64_t)(warmup * SECOND);
    closes = opens + (int64_t)(seconds * SECOND);
    for (int i = count; i--;)
        idle[idle_count++] = &clients[i];
    while (now() < closes || ((awaited || due < closes) && now() < closes + PATIENCE)) {
        if (!opened && now() >= opens && (opened = true))
            announce("measuring");
        if (!over && now() >= closes && (over = true))
            announce("measured");
        while (due <= now() && due < closes && idle_count) {
            awaited++;
            ask(idle[--idle_count], due);
            due = begin + (int64_t)((double)++turn / rate * SECOND);
        }
        int64_t next = over ? closes + PATIENCE : opened ? closes : opens;
        serve_clients(idle_count && due < next ? due : next);
    }
    if (!over)
        announce("measured");
    /* What was due and never answered is no less of a failure than an error. */
    statuses[0] += awaited;
    for (; due < closes; due = begin + (int64_t)((double)++turn / rate * SECOND))
        statuses[0]++;
}

static Latencies *round_latencies;

static void burst_answer(Client *client, int status)
{
    awaited--;
    tally(round_latencies, client, status, now());
}

static void let_everybody_connect(void)
{
    int64_t settled = now() + SECOND / 5;
    for (int i = 0; i < count; i++)
        if (clients[i].state == CLOSED)
            open_client(&clients[i]);
    while (now() < settled)
        serve_clients(settled);
}

static void run_burst(void)
{
    on_answer(burst_answer);
    for (int round = 0; round <= rounds; round++) {
        round_latencies = round ? &latencies : &first;
        let_everybody_connect();
        if (round == 1)
            announce("measuring");
        int64_t start = now(), patience = start + 3 * PATIENCE;
        awaited = count;
        for (int i = 0; i < count; i++)
            ask(&clients[i], start);
        while (awaited && now() < patience)
            serve_clients(patience);
        if (awaited) {
            fprintf(stderr, "load: %d answers did not come\n", awaited);
            exit(1);
        }
    }
    announce("measured");
}

static void report(double lasted)
{
    long errors = 0;
    printf("{\"requests\": %zu, \"seconds\": %.3f, \"throughput\": %.1f, ", latencies.count, lasted,
           lasted > 0 ? (double)latencies.count / lasted : 0);
    print_percentiles(&latencies);
    if (first.count) {
        printf(", \"first\": {");
        print_percentiles(&first);
        printf("}");
    }
    printf(", \"statuses\": {");
    for (int i = 0, some = 0; i < MOST_STATUSES; i++)
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
    if (count < 1 || count > MOST_CLIENTS || seconds < 0 || warmup < 0 || rounds < 1) {
        fprintf(stderr, "load: 1 to %d connections, some seconds, some rounds\n", MOST_CLIENTS);
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
