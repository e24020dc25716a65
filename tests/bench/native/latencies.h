/* Every latency of a run, kept singly: percentiles are exact, and nothing is averaged away. */
#pragma once
#include <stdint.h>
#include <stdio.h>

typedef struct {
    uint32_t *us;
    size_t count, room;
} Latencies;

void record(Latencies *latencies, int64_t ns);

/* Nearest rank: the smallest that at least `percent` of all do not exceed; sorts them. In ms. */
double percentile(Latencies *latencies, double percent);

/* "p50": 1.234, "p90": ..., "p99": ..., "max": ...; null each where there are none. */
void print_percentiles(Latencies *latencies);

/* One a line, in microseconds. */
void write_samples(const Latencies *latencies, const char *path);
