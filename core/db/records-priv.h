/* Records as bytes for the spool and as parameters for the database. */
#ifndef DB_RECORDS_PRIV_H
#define DB_RECORDS_PRIV_H

#include "db/records.h"
#include "db/spool.h"

#define RECORD_FIELDS_MAX 40
#define RECORD_TEXT_MAX 1000 /* bytes; longer text is cut */

/* The numbers are in files: never change what one means, add new ones. */
enum record_kind {
    RECORD_CALL_OPEN = 1,
    RECORD_CALL_CLOSE,
    RECORD_LEG,
    RECORD_EVENT,
    RECORD_FINISH_OPEN,  /* calls that an earlier run left open */
    RECORD_CALL_OPEN_2,  /* and the dialplan */
    RECORD_CALL_CLOSE_2, /* and the dialplan, and the cause as a number */
    RECORD_LEG_2,        /* and the cause as a number */
    RECORD_LEG_3,        /* and the encryption of its audio */
    RECORD_LEG_4,        /* and its quality */
    RECORD_CALL_VARS = 20,
    RECORD_RECORDING,
    RECORD_RECORDING_FOUND, /* an earlier run did not complete it */
    RECORD_TALK,
    RECORD_CALL_JOINS,   /* calls become part of another conversation, with their talks */
    RECORD_CALL_CLOSE_3, /* as 2, and the conversation */
    RECORD_CALL_OPEN_3,  /* as 2, and who had the switch make it */
    RECORD_CALL_CLOSE_4, /* as 3, and that, and what became of its caller at last */
    RECORD_CALL_AT_LAST, /* that, while the call goes on */
    RECORD_KINDS,
};

/* Name ("call_open": also of its prepared statement), statement and number of parameters. */
struct record_form {
    const char *name, *sql;
    unsigned fields;
};
const struct record_form *record_form(unsigned kind); /* NULL: no such kind */

/* A record being encoded. */
struct record_bytes {
    size_t len;
    unsigned fields;
    uint8_t data[2 + RECORD_FIELDS_MAX * (5 + RECORD_TEXT_MAX)];
};

/* What every record of this switch carries. */
struct record_origin {
    unsigned node;
    struct uuid run;
    uint64_t now_us; /* wall clock: the end of what is being closed */
};

void record_encode_call_open(struct record_bytes *out, const struct record_origin *origin, const struct record_call *c);
void record_encode_call_close(struct record_bytes *out, const struct record_origin *origin,
                              const struct record_call *c);
void record_encode_leg(struct record_bytes *out, const struct record_origin *origin, const struct record_leg *l);
void record_encode_talk(struct record_bytes *out, const struct record_origin *origin, const struct record_talk *t);
void record_encode_call_joins(struct record_bytes *out, const struct uuid *conversation, const struct uuid *into);
void record_encode_recording(struct record_bytes *out, const struct record_origin *origin,
                             const struct record_recording *r);
void record_encode_recording_found(struct record_bytes *out, const struct record_origin *origin, const char *was,
                                   const char *path, uint64_t ms, uint64_t bytes);
void record_encode_event(struct record_bytes *out, const struct record_origin *origin, const struct record_event *e);
void record_encode_call_vars(struct record_bytes *out, const struct uuid *call, const char *vars);
void record_encode_call_at_last(struct record_bytes *out, const struct uuid *call, const char *words);
void record_encode_finish_open(struct record_bytes *out, const struct record_origin *origin);

/* Parameters that point into the record. Returns the kind, or 0 when the bytes are not a record of ours. */
unsigned record_decode(const struct spool_record *record, const char *params[RECORD_FIELDS_MAX], unsigned *count);

#endif
