/* Serves the downstream services: a fixed JSON body for every GET, after the same delay.
 *
 *   upstream DELAY_MS NAME=BODY_FILE...
 *
 * Listens on a free loopback port for each name and prints {"NAME": PORT, ...}, then serves until
 * it is killed. Keep-alive and pipelining work; a request ends at an empty line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

enum { MAX_SERVICES = 16, MAX_CONNECTIONS = 65536, MAX_HEAD = 16384, MAX_DUE = 1 << 18 };

typedef struct {
    int listener;
    char *response;
    size_t length;
} Service;

typedef struct {
    int service;
    unsigned generation; /* distinguishes connections that reuse a descriptor */
    size_t buffered;
    char head[MAX_HEAD];
} Connection;

/* All delays are equal, so the queue is in order of arrival. */
typedef struct {
    int64_t at;
    int fd;
    unsigned generation;
} Due;

static Service services[MAX_SERVICES];
static int service_count;
static Connection *connections[MAX_CONNECTIONS];
static Due due[MAX_DUE];
static uint64_t due_first, due_end;
static unsigned connection_count;
static int64_t delay;
static int poller;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int fd, uint64_t data)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static void load_response(Service *service, const char *path)
{
    static const char form[] = "HTTP/1.1 200 OK\r\nDate: Sun, 01 Nov 2026 08:00:00 GMT\r\n"
                               "Content-Type: application/json\r\nCache-Control: no-store\r\n"
                               "Content-Length: %ld\r\n\r\n";
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        die(path);
    long size = ftell(file);
    rewind(file);
    service->response = malloc(sizeof form + 32 + (size_t)size);
    int head = sprintf(service->response, form, size);
    if (fread(service->response + head, 1, (size_t)size, file) != (size_t)size)
        die(path);
    service->length = (size_t)(head + size);
    fclose(file);
}

static int listen_on_free_port(Service *service)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    service->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (bind(service->listener, (void *)&at, sizeof at) || listen(service->listener, 4096))
        die("listen");
    getsockname(service->listener, (void *)&at, &size);
    return ntohs(at.sin_port);
}

static void close_connection(int fd)
{
    free(connections[fd]);
    connections[fd] = NULL;
    close(fd);
}

/* Responses are small, so a full socket buffer means that the client does not read. */
static void send_response(int fd)
{
    Service *service = &services[connections[fd]->service];
    if (write(fd, service->response, service->length) != (ssize_t)service->length)
        close_connection(fd);
}

static void schedule_response(int fd)
{
    if (!delay) {
        send_response(fd);
        return;
    }
    if (due_end - due_first == MAX_DUE) {
        fprintf(stderr, "upstream: more than %d requests are waiting\n", MAX_DUE);
        exit(1);
    }
    due[due_end++ % MAX_DUE] = (Due){now() + delay, fd, connections[fd]->generation};
}

static void receive(int fd)
{
    Connection *c = connections[fd];
    ssize_t got = read(fd, c->head + c->buffered, MAX_HEAD - c->buffered);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        close_connection(fd);
        return;
    }
    c->buffered += (size_t)got;
    char *rest = c->head, *end;
    while ((end = memmem(rest, c->buffered, "\r\n\r\n", 4))) {
        c->buffered -= (size_t)(end + 4 - rest);
        rest = end + 4;
        schedule_response(fd);
        if (connections[fd] != c)
            return;
    }
    memmove(c->head, rest, c->buffered);
    if (c->buffered == MAX_HEAD)
        close_connection(fd);
}

static void accept_connections(int service)
{
    int fd, on = 1;
    while ((fd = accept4(services[service].listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= MAX_CONNECTIONS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[fd] = malloc(sizeof(Connection));
        connections[fd]->service = service;
        connections[fd]->generation = ++connection_count;
        connections[fd]->buffered = 0;
        watch(fd, (uint64_t)fd + MAX_SERVICES);
    }
}

static void send_due_responses(void)
{
    int64_t moment = now();
    while (due_first != due_end && due[due_first % MAX_DUE].at <= moment) {
        Due *first = &due[due_first++ % MAX_DUE];
        if (connections[first->fd] && connections[first->fd]->generation == first->generation)
            send_response(first->fd);
    }
}

static void serve(void)
{
    struct epoll_event events[256];
    for (;;) {
        bool waiting = due_first != due_end;
        struct timespec wait = until(waiting ? due[due_first % MAX_DUE].at : 0);
        int count = epoll_pwait2(poller, events, 256, waiting ? &wait : NULL, NULL);
        for (int i = 0; i < count; i++) {
            uint64_t data = events[i].data.u64;
            if (data < MAX_SERVICES)
                accept_connections((int)data);
            else if (connections[data - MAX_SERVICES])
                receive((int)(data - MAX_SERVICES));
        }
        send_due_responses();
    }
}

int main(int count, char **words)
{
    if (count < 3 || count - 2 > MAX_SERVICES) {
        fprintf(stderr, "usage: upstream DELAY_MS NAME=BODY_FILE...\n");
        return 2;
    }
    delay = atoll(words[1]) * 1000000;
    poller = epoll_create1(0);
    for (int i = 2; i < count; i++) {
        char *equals = strchr(words[i], '=');
        if (!equals)
            die(words[i]);
        *equals = '\0';
        Service *service = &services[service_count];
        load_response(service, equals + 1);
        printf("%s\"%s\": %d", service_count ? ", " : "{", words[i], listen_on_free_port(service));
        watch(service->listener, (uint64_t)service_count++);
    }
    printf("}\n");
    fflush(stdout);
    serve();
}
