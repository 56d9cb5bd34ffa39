/* Recording what a port hears and says, as tandemd asks for it: the client's half. Signalling thread. */
#ifndef MEDIA_RECORDING_H
#define MEDIA_RECORDING_H

#include "base/base.h"

struct media_port;
struct media_recording;

enum media_record_what {
    MEDIA_RECORD_LEG,    /* what the far side says */
    MEDIA_RECORD_BOTH,   /* and what it is told, in one channel */
    MEDIA_RECORD_STEREO, /* the same: left what it says, right what it is told */
    MEDIA_RECORD_WHATS,
};

enum media_record_format {
    MEDIA_RECORD_WAV,  /* PCM, 16 bits; 16000 samples a second when the far side's codec carries that, else 8000 */
    MEDIA_RECORD_ULAW, /* WAV with G.711, 8000 samples a second */
    MEDIA_RECORD_ALAW,
    MEDIA_RECORD_OPUS, /* in Ogg */
    MEDIA_RECORD_FORMATS,
};

struct media_record {
    enum media_record_what what;
    enum media_record_format format;
    uint32_t max_ms;     /* of sound; 0: no limit */
    uint32_t silence_ms; /* ends when the far side has said nothing for so long; 0: never */
    bool beep;           /* the far side hears a beep, and what is behind it is recorded */
};

enum media_record_why {
    MEDIA_RECORD_STOPPED,    /* as asked */
    MEDIA_RECORD_MAX,        /* max_ms */
    MEDIA_RECORD_SILENCE,    /* silence_ms */
    MEDIA_RECORD_PORT_ENDED, /* the port was released */
    MEDIA_RECORD_FAILED,     /* by err: a full disk, a broken one */
    MEDIA_RECORD_LOST,       /* the media process died; what it had written is in the file, and nothing else is known */
    MEDIA_RECORD_LEFT,       /* it goes on, and media_close() has let go of it */
    MEDIA_RECORD_WHYS,
};

struct media_recorded {
    enum media_record_why why;
    int err;              /* negative errno, or 0 */
    uint64_t ms, bytes;   /* in the file */
    uint64_t left_out_ms; /* that the disk was too slow for */
};

/* Runs once, never from inside a function below. The recording is gone then. */
typedef void (*media_recorded_fn)(void *arg, const struct media_recorded *recorded);

/* Begins at once, and goes on until it is stopped, the port is released or the plan says so; also while tandemd is
 * away. Takes fd, which is open for writing and empty. */
struct media_recording *media_record(struct media_port *port, const struct media_record *plan, int fd,
                                     media_recorded_fn done, void *arg) MUST_USE;
/* While it pauses nothing is written, and the file does not become longer. */
void media_record_pause(struct media_recording *recording, bool pause);
void media_record_stop(struct media_recording *recording);

#endif
