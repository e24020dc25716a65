#define _GNU_SOURCE
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"

static struct sockaddr_in server;
static char request[16384];
static size_t request_length;
static int poller;
static void (*notify)(Client *, int);

static void die(const char *what)
{
    perror(what);
    exit(1);
}

void prepare_clients(int port, const char *path, const char *token)
{
    server = (struct sockaddr_in){.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                          "Accept: application/json\r\nUser-Agent: load\r\n"
                          "Authorization: Bearer %s\r\n\r\n",
                          path, port, token);
    if (length < 0 || (size_t)length >= sizeof request)
        die("the request is too long");
    request_length = (size_t)length;
    poller = epoll_create1(0);
    prctl(PR_SET_TIMERSLACK, 1UL); /* the default adds up to 50 us to a wait */
}

void set_response_callback(void (*callback)(Client *, int))
{
    notify = callback;
}

void open_client(Client *client)
{
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0)
        die("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(client->fd, (void *)&server, sizeof server) && errno != EINPROGRESS)
        die("connect");
    client->state = CONNECTING;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, client->fd, &event))
        die("epoll_ctl");
}

static void close_connection(Client *client)
{
    close(client->fd);
    client->state = CLOSED;
}

static void finish_exchange(Client *client, int status)
{
    if (client->last || !status)
        close_connection(client);
    else
        client->state = IDLE;
    bool had_request = client->has_request;
    client->has_request = false;
    if (had_request)
        notify(client, status);
}

static void send_request(Client *client)
{
    client->received = client->expected = 0;
    client->last = false;
    client->state = WAITING;
    if (write(client->fd, request, request_length) != (ssize_t)request_length)
        finish_exchange(client, 0);
}

void send_or_queue_request(Client *client, int64_t since)
{
    client->has_request = true;
    client->since = since;
    if (client->state == CLOSED)
        open_client(client);
    else if (client->state == IDLE)
        send_request(client);
}

static const char *field(const Client *client, const char *name)
{
    const char *found = strcasestr(client->head, name);
    return found ? found + strlen(name) : NULL;
}

/* Parse the head once it is complete: the status and the size of the response. */
static bool read_head(Client *client)
{
    client->head[client->received] = '\0';
    char *end = strstr(client->head, "\r\n\r\n");
    if (!end)
        return client->received < sizeof client->head - 1;
    *end = '\0';
    const char *length = field(client, "\r\ncontent-length:");
    const char *connection = field(client, "\r\nconnection:");
    if (!length || sscanf(client->head, "HTTP/1.1 %d", &client->status) != 1)
        return false;
    client->expected = (size_t)(end + 4 - client->head) + strtoul(length, NULL, 10);
    client->last = connection && !strncasecmp(connection + strspn(connection, " "), "close", 5);
    return true;
}

static void receive(Client *client)
{
    static char body[1 << 16];
    while (client->state == WAITING || client->state == IDLE) {
        bool in_head = !client->expected;
        char *to = in_head ? client->head + client->received : body;
        size_t room = in_head ? sizeof client->head - 1 - client->received : sizeof body;
        ssize_t got = read(client->fd, to, room);
        if (got < 0 && errno == EAGAIN)
            return;
        /* Unexpected bytes are an error, as is a connection that closes early. */
        if (got <= 0 || client->state == IDLE) {
            finish_exchange(client, 0);
            return;
        }
        client->received += (size_t)got;
        if (in_head && !read_head(client))
            finish_exchange(client, 0);
        else if (client->expected && client->received >= client->expected)
            finish_exchange(client, client->received == client->expected ? client->status : 0);
    }
}

static void finish_connecting(Client *client)
{
    int error;
    socklen_t size = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) {
        finish_exchange(client, 0);
        return;
    }
    client->state = IDLE;
    if (client->has_request)
        send_request(client);
}

void serve_clients(int64_t moment)
{
    struct epoll_event events[256];
    struct timespec wait = until(moment);
    int count = epoll_pwait2(poller, events, 256, &wait, NULL);
    for (int i = 0; i < count; i++) {
        Client *client = events[i].data.ptr;
        if (client->state == CONNECTING)
            finish_connecting(client);
        else
            receive(client);
    }
}
