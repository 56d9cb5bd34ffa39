/* What the files of this room share. */
#ifndef CONSOLE_CONSOLE_PRIV_H
#define CONSOLE_CONSOLE_PRIV_H

#include <sys/types.h>

#include "console/console.h"
#include "trace/json_text.h"

#define LINE_LIMIT (64u * 1024)      /* bytes of one request */
#define BACKLOG_LIMIT (1024u * 1024) /* bytes that may wait for a client before the next line cuts it off */
#define CLIENTS_LIMIT 128u
#define WAITING_LIMIT 64u /* unanswered requests of one client */
#define TOPICS_LIMIT 16u
#define TOPIC_ALL "*" /* every topic but "log" and "trace" */

struct console_command {
    struct list node;
    struct console *console;
    char *name, *summary;
    console_fn fn;
    void *arg;
};

struct console_client {
    struct list node;
    struct list requests; /* waiting for their answers */
    struct console *console;
    int fd;
    struct loop_watch *watch;
    bool dead;     /* cut off: nothing more is read or written; freed at the end of the turn */
    bool skipping; /* inside a line that was too long */
    char *in;      /* in_room bytes */
    size_t in_len, in_room;
    char *out; /* what the kernel would not take yet: out[out_at] … out[out_len - 1] */
    size_t out_at, out_len, out_room;
    unsigned waiting;
    unsigned topic_count;
    char topics[TOPICS_LIMIT][32];
};

struct console_request {
    struct list node;
    struct console_client *client; /* NULL: it has gone */
    json_t *id;
};

/* Something that ends with the console: the commands of the core. */
struct console_part {
    struct list node;
    void (*close)(struct console_part *part);
};

/* A section of `status` that another room brings. */
struct console_status {
    struct list node;
    char *name;
    json_t *(*fn)(void *arg);
    void *arg;
};

struct console {
    struct loop *loop;
    int fd;
    struct loop_watch *watch;
    struct loop_timer retry;
    char *path;
    dev_t dev; /* what we made at path: only that is removed again */
    ino_t ino;
    struct list clients, commands, parts, statuses;
    loop_fn followers; /* told after each change of what clients follow; NULL: nobody cares */
    void *followers_arg;
    unsigned client_count;
};

/* One line for this client; takes over `json`. */
void client_send(struct console_client *client, json_t *json);
void client_cut(struct console_client *client, const char *why);
/* One request as it came, without its newline. */
void client_line(struct console_client *client, const char *line, size_t len);
bool client_wants(const struct console_client *client, const char *topic);
/* A client on a connected stream socket (tests and the fuzzer bring their own). Takes over fd. NULL: too many. */
struct console_client *console_adopt(struct console *console, int fd);
void console_answer_error(struct console_client *client, json_t *id, const char *code, const char *text);

#endif
