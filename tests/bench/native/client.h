/* One client: a connection that sends the same request repeatedly, one at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { CLOSED, CONNECTING, IDLE, WAITING } State;

typedef struct Client {
    int fd;
    State state;
    bool has_request; /* a request is queued, being sent or waiting for its response */
    int64_t since;    /* start of the latency */
    size_t received;  /* bytes of the response, head included */
    size_t expected;  /* size of the response; 0 until its head has arrived */
    int status;
    bool last;        /* the server closes the connection after this response */
    char head[8192];
} Client;

/* Set the server and the request of all clients; must be called first. */
void prepare_clients(int port, const char *path, const char *token);

/* Set the callback for responses; status 0 means that the connection failed before a whole one. */
void set_response_callback(void (*callback)(Client *client, int status));

/* Open the connection without sending a request. */
void open_client(Client *client);

/* Send the request, after connecting if necessary; its latency counts from `since`. */
void send_or_queue_request(Client *client, int64_t since);

/* Handle one batch of events; wait for it until `moment` at the latest. */
void serve_clients(int64_t moment);
