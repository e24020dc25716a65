/* One client: a connection that asks the same thing again and again, one request at a time. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { CLOSED, CONNECTING, IDLE, WAITING } State;

typedef struct Client {
    int fd;
    State state;
    bool asked;       /* a request is to be answered: being sent, or waited for */
    int64_t since;    /* from when its latency counts */
    size_t received;  /* of the answer, head included */
    size_t expected;  /* the whole answer; 0 until its head is there */
    int status;
    bool last;        /* the server will close after this answer */
    char head[8192];
} Client;

/* Where all clients connect to and what they ask; call it first. */
void prepare_clients(int port, const char *path, const char *token);

/* Be told of a client's answers: status 0 for a connection that broke before the whole of one. */
void on_answer(void (*told)(Client *client, int status));

/* Open the connection, and wait with the request until it is wanted. */
void open_client(Client *client);

/* Ask; a latency counts from `since`. Opens a connection if there is none. */
void ask(Client *client, int64_t since);

/* Serve what happens until that moment, or until one batch of events is done. */
void serve_clients(int64_t moment);
