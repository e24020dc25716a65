#include "latencies.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_SAMPLES = 1 << 26 };

void record(Latencies *latencies, int64_t ns)
{
    if (latencies->count == latencies->room) {
        latencies->room = latencies->room ? latencies->room * 2 : 1 << 16;
        latencies->us = realloc(latencies->us, latencies->room * sizeof *latencies->us);
        if (latencies->room > MAX_SAMPLES || !latencies->us) {
            fprintf(stderr, "load: too many samples\n");
            exit(1);
        }
    }
    latencies->us[latencies->count++] = (uint32_t)(ns / 1000);
}

static int compare_us(const void *one, const void *other)
{
    uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

double percentile(Latencies *latencies, double percent)
{
    size_t rank = (size_t)ceil(percent * (double)latencies->count / 100);
    qsort(latencies->us, latencies->count, sizeof *latencies->us, compare_us);
    return latencies->us[rank ? rank - 1 : 0] / 1000.0;
}

void print_percentiles(Latencies *latencies)
{
    static const struct {
        const char *name;
        double percent;
    } percentiles[] = {{"p50", 50}, {"p90", 90}, {"p99", 99}, {"max", 100}};
    for (size_t i = 0; i < sizeof percentiles / sizeof *percentiles; i++) {
        printf("%s\"%s\": ", i ? ", " : "", percentiles[i].name);
        if (latencies->count)
            printf("%.3f", percentile(latencies, percentiles[i].percent));
        else
            printf("null");
    }
}

void write_samples(const Latencies *latencies, const char *path)
{
    FILE *file = fopen(path, "w");
    if (!file) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < latencies->count; i++)
        fprintf(file, "%u\n", latencies->us[i]);
    fclose(file);
}
