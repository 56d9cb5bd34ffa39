/* What the files of the requests share. */
#ifndef CALL_ORIGINATE_PRIV_H
#define CALL_ORIGINATE_PRIV_H

#include "call/call-priv.h"
#include "call/originate.h"

#define ORIGINATES_MAX 1000   /* that wait or live */
#define ORIGINATES_ENDED 1000 /* that are remembered */
#define ORIGINATE_KEY_MAX 100 /* bytes */
#define ORIGINATE_DAY_S 86400

struct originate_rows;

struct originates {
    struct pbx *pbx;
    struct list living, ended; /* ended: the oldest first */
    unsigned living_count, ended_count;
    struct loop_timer tick; /* runs while something waits for more than the next turn */
    struct bus_subscription *subscription;
    struct originate_rows *rows; /* NULL: no database */
};

struct request {
    struct list node;    /* living or ended */
    struct list unsaved; /* its row is to be written; on no list: it is as it is in the database */
    struct originates *all;
    struct uuid id, call_id;
    char account[64], to[64], context[64], key[ORIGINATE_KEY_MAX + 1], after[64], origin[64];
    char *headers;
    uint64_t wished_us, at_us, expires_us; /* wall clock */
    unsigned timeout_s;
    enum originate_state state;
    char cause[32], words[256];
    struct call *call; /* borrowed while it lives */
    bool from_row;     /* its row is the wish: it begins only when the database knows of that */
    bool has_row;      /* there is a row that says that it waits */
    bool asking;       /* the database is being told that it begins */
    struct {
        originate_told_fn fn;
        void *arg;
        bool repeated;
    } told[4];
};

/* originate_list.c */
struct request *request_find(const struct originates *all, const struct uuid *id);
/* A wish from a row; takes over r. */
void request_add(struct originates *all, struct request *r);
/* The time has come: may be called at any moment while it waits. */
void request_begin(struct request *r);
void request_end(struct request *r, const char *cause, const char *words);
void request_look_soon(struct originates *all);

/* originate_rows.c: live.originate. */
struct originate_rows *originate_rows_open(struct originates *all);
void originate_rows_close(struct originate_rows *rows);
/* Tells the database that it begins; request_begin() follows, or request_end() when it was taken back. */
void originate_rows_ask(struct originate_rows *rows, struct request *r);
/* Its row is to be written. */
void originate_rows_save(struct originate_rows *rows, struct request *r);
/* A wish of an earlier run, of which only the id is known: fn gets what its row says. */
void originate_rows_look(struct originate_rows *rows, const struct uuid *id, originate_told_fn fn, void *arg);
void originate_rows_forget(struct originate_rows *rows, void *arg);

#endif
