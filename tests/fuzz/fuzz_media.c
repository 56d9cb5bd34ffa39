/* libFuzzer: the protocol between tandemd and tandem-media (proto.h, wire.c), in both directions. The first byte says
 * who is spoken to: a media process with ports and a worker of its own, or the client in the switch. Each message is a
 * byte (its kind; 64: the packet ends behind it; 128: its size is wrong, by two more bytes) and its content. Whatever
 * it is told, the process can be stopped and the client be closed, with every port's end told to its owner. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "disk.h"
#include "media/control-priv.h"
#include "media/client-priv.h"
#include "media/recording.h"
#include "media/dtls.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dtls_identity *identity;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static struct secure anchor;

    return secure_setup(&anchor) < 0 || dtls_identity_new(&identity) < 0 ? -1 : 0;
}

#define PACKET 32768u
#define TURNS 1

static void put_hello(int fd, enum proto_kind kind)
{
    struct proto_hello hello = {.head = {.kind = (uint16_t)kind, .size = sizeof hello}, .version = PROTO_VERSION};

    hello.ip4 = hello.pid = hello.threads = 1;
    (void)send(fd, &hello, sizeof hello, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* The next packet of the input; false: there is none. */
static bool next_packet(const uint8_t **data, size_t *size, uint8_t *packet, size_t *len)
{
    bool end = false;

    *len = 0;
    while (*size && !end) {
        uint8_t what = *(*data)++;
        unsigned kind = what & 63;
        size_t whole = proto_size(kind) ? proto_size(kind) : sizeof(struct proto_head), content, taken;
        struct proto_head *head = (void *)(packet + *len);

        --*size;
        if (*len + whole > PACKET)
            break;
        memset(head, 0, whole);
        head->kind = (uint16_t)kind;
        head->size = (uint16_t)whole;
        if (what & 128 && *size >= 2) {
            head->size = (uint16_t)((*data)[0] << 8 | (*data)[1]);
            *data += 2, *size -= 2;
        }
        content = whole - sizeof *head;
        taken = content < *size ? content : *size;
        memcpy(head + 1, *data, taken);
        *data += taken, *size -= taken;
        *len += whole;
        end = what & 64;
    }
    return *len > 0;
}

/* --- the media process -------------------------------------------------------------------------------------------- */

static void to_process(const uint8_t *data, size_t size)
{
    static _Alignas(8) uint8_t packet[PACKET];
    struct loop *loop = loop_new_fake();
    char path[100];
    struct control_options options = {.socket_path = path,
                                      .port_low = 23000,
                                      .port_high = 23019,
                                      .threads = 1,
                                      .orphan_seconds = 600,
                                      .silence_ms = 60000,
                                      .report_ms = 50,
                                      .no_sandbox = true,
                                      .identity = identity};
    struct control *control = NULL;
    struct sockaddr_un addr;
    char sink[4096];
    size_t len;
    int fd;

    snprintf(path, sizeof path, "%s/process.sock", disk_dir());
    addr_parse_ip("127.0.0.1", 0, &options.bind4);
    disk_must(control_start(loop, &options, &control) == 0, "the media process starts");
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    disk_must(wire_address(path, &addr) == 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0,
              "somebody listens");
    put_hello(fd, PROTO_HELLO);
    loop_turn(loop, 0);
    while (next_packet(&data, &size, packet, &len)) {
        if (send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        loop_turn(loop, 0);
        loop_fake_advance(loop, 20);
        while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
    }
    for (int i = 0; i < TURNS; i++)
        loop_turn(loop, 1);
    close(fd);
    loop_turn(loop, 0);
    control_stop(control);
    loop_turn(loop, 0);
    loop_free(loop);
}

/* --- the client --------------------------------------------------------------------------------------------------- */

static unsigned released, recorded;

static void happened(void *arg, const struct media_event *event)
{
}

static void was_released(void *arg, const struct media_stats *stats)
{
    released++;
}

static void was_recorded(void *arg, const struct media_recorded *what)
{
    recorded++;
}

static void to_client(const uint8_t *data, size_t size)
{
    static _Alignas(8) uint8_t packet[PACKET];
    struct loop *loop = loop_new_fake();
    struct media_config config = {.port_low = 1, .port_high = 2};
    struct media_hooks hooks = {0};
    struct media *media = NULL;
    struct media_port *ports[16];
    struct sockaddr_un addr;
    unsigned taken = 0, asked = 0;
    char path[100], sink[4096];
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fd;
    size_t len;

    released = recorded = 0;
    snprintf(path, sizeof path, "%s/client.sock", disk_dir());
    unlink(path);
    config.socket_path = path;
    addr_parse_ip("127.0.0.1", 0, &config.bind4);
    wire_address(path, &addr);
    disk_must(bind(listener, (struct sockaddr *)&addr, sizeof addr) == 0 && listen(listener, 4) == 0, "it can listen");
    disk_must(media_open(loop, &config, &hooks, &media) == 0, "the client opens");
    loop_turn(loop, 0);
    fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    put_hello(fd, PROTO_WELCOME);
    loop_turn(loop, 0);
    while (next_packet(&data, &size, packet, &len)) {
        struct media_port *port;

        if (send(fd, packet, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        loop_turn(loop, 0);
        port = taken < COUNT_OF(ports) ? media_port_take(media, AF_INET, happened, NULL) : NULL;
        if (port) {
            const struct media_record plan = {.what = MEDIA_RECORD_BOTH};

            ports[taken++] = port;
            media_record_stop(media_record(port, &plan, dup(listener), was_recorded, NULL));
        }
        if (taken > 2 && asked < taken - 2) /* the others keep theirs until the end */
            media_port_release(ports[asked++], was_released, NULL);
        loop_fake_advance(loop, 20);
        while (recv(fd, sink, sizeof sink, MSG_DONTWAIT) > 0)
            ;
    }
    close(fd);
    loop_turn(loop, 0);
    loop_fake_advance(loop, 0);
    while (asked < taken)
        media_port_release(ports[asked++], was_released, NULL);
    loop_fake_advance(loop, 2000);
    disk_must(released == taken, "whoever released a port is told so, once");
    close(listener);
    media_close(media, true);
    disk_must(recorded == taken, "whoever began a recording is told of its end, once");
    loop_turn(loop, 0);
    loop_free(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_setup("fuzz", LOG_LEVEL_NONE);
    if (!size)
        return 0;
    if (*data & 1)
        to_process(data + 1, size - 1);
    else
        to_client(data + 1, size - 1);
    return 0;
}
