/* Stands in for the media client in tests of calls: ports without sockets, bridges in the journal. */
#include <stdlib.h>

#include "fake_core.h"
#include "media/media_play.h"

struct media_port {
    union addr addr;
    media_released_fn done;
    void *arg;
};

bool media_is_up(const struct media *media)
{
    return true;
}

struct media_port *media_port_take(struct media *media, int family, media_event_fn on_event, void *arg)
{
    struct media_port *port = mem_new(sizeof *port);

    addr_parse("127.0.0.1:20000", 0, &port->addr);
    return port;
}

static void released(void *arg)
{
    struct media_port *port = arg;

    if (port->done)
        port->done(port->arg, NULL);
    free(port);
}

void media_port_release(struct media_port *port, media_released_fn done, void *arg)
{
    port->done = done;
    port->arg = arg;
    loop_later(fake_loop, released, port);
}

uint64_t media_port_id(const struct media_port *port)
{
    return 1;
}

const union addr *media_port_addr(const struct media_port *port)
{
    return &port->addr;
}

void media_port_remote(struct media_port *port, const struct stream_desc *remote, const union addr *signalling)
{
}

void media_port_local(struct media_port *port, const struct stream_desc *local)
{
}

void media_port_keys(struct media_port *port, const struct srtp_key *in, const struct srtp_key *out)
{
}

void media_port_name(struct media_port *port, uint64_t name)
{
}

void media_port_direction(struct media_port *port, enum stream_dir dir)
{
}

void media_port_dtls(struct media_port *port, const struct fingerprint *theirs, bool active)
{
}

const struct fingerprint *media_fingerprint(const struct media *media)
{
    return NULL;
}

void media_port_key_ways(struct media_port *port, enum key_out out, bool tones, uint32_t kept)
{
}

void media_port_press(struct media_port *port, char key, unsigned ms)
{
    journal_note("press:%c", key);
}

void media_port_watch(struct media_port *port, uint32_t silent_ms, uint32_t lifeless_ms)
{
}

void media_bridge(struct media_port *a, struct media_port *b)
{
    journal_note("bridge");
}

void media_unbridge(struct media_port *port)
{
}

void media_mix(struct media_port *port, uint64_t room, unsigned flags)
{
}

void media_unmix(struct media_port *port)
{
}

void media_port_echo(struct media_port *port, bool on)
{
}

/* --- playing ------------------------------------------------------------------------------------------------------ */

struct media_play {
    media_played_fn done;
    void *arg;
};

static struct media_play *last_play;

struct media_play *media_play(struct media_port *port, const struct media_piece *pieces, unsigned count, unsigned loops,
                              media_played_fn done, void *arg)
{
    struct media_play *play = mem_new(sizeof *play);

    play->done = done;
    play->arg = arg;
    last_play = play;
    journal_note(count && pieces->what == PLAY_TONE ? "tone" : "play");
    return play;
}

void fake_media_played(uint64_t ms)
{
    struct media_play *play = last_play;

    last_play = NULL;
    play->done(play->arg, &(struct media_played){.ms = ms, .why = ""});
    free(play);
}

void media_play_stop(struct media_play *play)
{
    journal_note("silent");
    free(play);
}

uint64_t media_music_new(struct media *media, const struct media_piece *pieces, unsigned count, bool shuffle)
{
    return 1;
}

void media_music_forget(struct media *media, uint64_t music)
{
}

unsigned media_up_count(const struct media *media)
{
    return 1;
}

struct media_play *media_play_music(struct media_port *port, uint64_t music)
{
    journal_note("music");
    return mem_new(sizeof(struct media_play));
}
