/* What the files of a search share. On the recorder's lane, or on the loop where there are no files. */
#ifndef TRACE_SEARCH_PRIV_H
#define TRACE_SEARCH_PRIV_H

#include "trace/recorder-priv.h"
#include "trace/trace-priv.h"

#define HASHES_MAX LEGS_MAX
#define CONVERSATION_MAX 8u
#define RAW_MAX (600u << 10) /* bytes of messages in one answer: the control socket cuts off who lets more wait */

struct search {
    struct trace *trace;
    struct trace_query query;
    trace_found_fn fn;
    void *arg;
    struct recorder_files *files;
    uint8_t key[16];
    uint64_t now_us, from_us; /* what is older is not looked at */
    uint64_t newest_us;       /* of the frames seen */
    frame_fn each;            /* gets the frames that are meant, while they are walked */
    struct trace_part part;
    char *tail; /* frames that are in no file yet */
    size_t tail_len;
    char digits[33]; /* of the id wanted */
    union addr address;
    char login[64]; /* the user name with which the account's phone last authenticated: a device's, perhaps */
    struct uuid call;
    struct uuid conversation[CONVERSATION_MAX]; /* calls of one conversation, by age */
    unsigned conversation_count;
    uint64_t hashes[HASHES_MAX];
    unsigned hash_count;
    struct trace *replay;
    struct attempt {
        uint64_t hash, at_us; /* of its latest INVITE */
        char from[64], to[64];
        union addr peer;
        bool seen; /* its first message is among those that are kept */
    } attempt;
    /* Frames for a ladder of no call: the latest `count`, copies. */
    const char *party;
    char **kept;
    unsigned kept_count, kept_at, left_out;
    int error;
    json_t *result;
};

/* Each frame that is meant, oldest first; false from fn ends it. */
void search_each(struct search *s, frame_fn fn);
/* What is said of frames that belong to no call: s->result, or s->error. */
void search_registrations(struct search *s);
void search_address(struct search *s);
/* Did whom the search is about try to call, with a request of which no call was made, after this time? */
bool search_has_attempt(struct search *s, uint64_t after_us);
void search_attempt(struct search *s);

#endif
