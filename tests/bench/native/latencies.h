/* All latencies of a run, stored individually, so that percentiles are exact. */
#pragma once
#include <stdint.h>
#include <stdio.h>

typedef struct {
    uint32_t *us;
    size_t count, room;
} Latencies;

void record(Latencies *latencies, int64_t ns);

/* Return a percentile (nearest rank) in milliseconds; sorts the latencies. */
double percentile(Latencies *latencies, double percent);

/* Print "p50": 1.234, "p90": ..., "p99": ..., "max": ...; null if there are no latencies. */
void print_percentiles(Latencies *latencies);

/* Write one latency per line, in microseconds. */
void write_samples(const Latencies *latencies, const char *path);
