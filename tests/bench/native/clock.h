/* The monotonic clock, in nanoseconds. */
#pragma once
#include <stdint.h>
#include <time.h>

static inline int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* The timeout of epoll_pwait2 for this moment; zero if it has passed. */
static inline struct timespec until(int64_t moment)
{
    int64_t left = moment - now();
    if (left < 0)
        left = 0;
    return (struct timespec){left / 1000000000, left % 1000000000};
}
