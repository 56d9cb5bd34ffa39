/* libFuzzer: the flight recorder's files after damage, and searches in them. What a block before the damage holds is
 * found; frames may say anything, as a block that another version wrote does: they are searched by call, account and
 * address, drawn as a ladder and put into words. */
#include <dirent.h>
#include <unistd.h>

#include "base/log.h"
#include "call/bus.h"
#include "disk.h"
#include "trace/fact.h"
#include "trace/recorder-priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char message[] =
    "REGISTER sip:tandem SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7;branch=z\r\nFrom: <sip:201@tandem>;tag=a\r\n"
    "To: <sip:201@tandem>\r\nCall-ID: first\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n";

static struct frame *add_frame(char *out, size_t *len, unsigned kind, const void *text, size_t text_len)
{
    struct frame *frame = (void *)(out + *len);

    memset(frame, 0, sizeof *frame);
    frame->size = (uint32_t)((offsetof(struct frame, text) + text_len + 7) & ~(size_t)7);
    if (frame->size < sizeof *frame)
        frame->size = sizeof *frame;
    frame->len = (uint32_t)text_len;
    frame->at_us = 1700000000000000;
    frame->kind = (uint8_t)kind;
    addr_parse_ip("192.0.2.7", 5060, &frame->peer);
    addr_parse_ip("192.0.2.1", 5060, &frame->local);
    memcpy(frame->text, text, text_len);
    *len += frame->size;
    return frame;
}

/* A frame of an item: its first bytes are its kind, its flags and where its reason begins. A fact gets the id of our
 * call, unless it says otherwise. */
static void add_item(char *out, size_t *len, const uint8_t *item, size_t item_len)
{
    struct fact fact = {.kind = "call"};
    char text[FACT_MAX + 256];
    struct frame *frame;
    size_t used = 0;

    if (item_len < 3)
        return;
    if (item[0] % 3 == FRAME_FACT && item[1] & 1) {
        memset(&fact.call, 7, sizeof fact.call);
        memset(&fact.leg, item[2], sizeof fact.leg);
        used = fact_encode(&fact, text);
    }
    memcpy(text + used, item + 3, item_len - 3);
    used += item_len - 3;
    frame = add_frame(out, len, item[0] % 3, text, used);
    frame->inbound = item[1] >> 1 & 1;
    frame->transport = item[1] >> 2 & 7;
    frame->hash = item[1] >> 5;
    frame->why_len = (uint16_t)(item[2] < used ? item[2] : 0);
}

struct seen {
    unsigned count, ours;
};

static bool on_frame(void *arg, const struct frame *frame)
{
    struct seen *seen = arg;

    seen->count++;
    seen->ours += frame->kind == FRAME_MESSAGE && frame->len == sizeof message - 1 &&
                  memcmp(frame->text, message, frame->len) == 0;
    return true;
}

static void found(void *arg, int error, json_t *result)
{
    disk_must((error == 0) == (result != NULL), "a result or an error");
    ++*(unsigned *)arg;
    json_decref(result);
}

static void search(struct loop *loop, struct trace *trace, enum trace_wanted wanted, const char *text, bool explain)
{
    struct trace_query query = {.wanted = wanted, .raw = true, .explain = explain, .count = 20};
    unsigned answers = 0;

    str_copy(query.text, sizeof query.text, text);
    trace_search(trace, &query, found, &answers);
    for (int i = 0; i < 2000 && !answers; i++)
        loop_turn(loop, 5);
    disk_must(answers == 1, "a search is answered once");
}

static void remove_files(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *entry;

    while (d && (entry = readdir(d))) {
        char path[400];

        snprintf(path, sizeof path, "%s/%s", dir, entry->d_name);
        if (strstr(entry->d_name, ".rec"))
            unlink(path);
    }
    if (d)
        closedir(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(8) char block[RING_CHUNK], file[2 * RING_CHUNK];
    static struct loop *loop;
    static struct bus *bus;
    struct trace_config config = {.ring_bytes = 128 * 1024, .dir = disk_dir(), .disk_bytes = 1 << 20};
    uint8_t key[16] = "sixteen bytes ok";
    struct recorder_files *files;
    struct disk_input in;
    struct trace *trace;
    struct seen seen = {0};
    size_t len = 0, first_block, file_len, damage;
    char path[128];
    FILE *f;

    if (!loop) {
        log_setup("fuzz", LOG_LEVEL_NONE);
        loop = loop_new_fake();
        bus = bus_new(loop);
    }
    disk_read(data, size, &in);
    remove_files(disk_dir());
    disk_must(files_open(disk_dir(), 1 << 20, UINT64_MAX / 2, key, &files) == 0, "a directory of files opens");
    add_frame(block, &len, FRAME_MESSAGE, message, sizeof message - 1);
    disk_must(files_write(files, block, len, 1700000000000000) == 0, "a block is written");
    first_block = (size_t)files_bytes(files);
    for (unsigned i = 0; i < in.count; i++) {
        len = 0;
        add_item(block, &len, in.item[i].data, in.item[i].len);
        if (len)
            files_write(files, block, len, 1700000000000000);
    }
    files_close(files);

    snprintf(path, sizeof path, "%s/0000000000000001.rec", disk_dir());
    f = fopen(path, "rb");
    disk_must(f != NULL, "there is a file");
    file_len = fread(file, 1, sizeof file, f);
    fclose(f);
    damage = disk_damage(&in, (uint8_t *)file, &file_len);
    disk_put(path, file, file_len);

    disk_must(files_open(disk_dir(), 1 << 20, UINT64_MAX / 2, key, &files) == 0, "damaged files open");
    files_each(files, 0, on_frame, &seen);
    files_close(files);
    disk_must(damage < first_block || seen.ours > 0, "what stands before the damage is found");
    disk_must(seen.count <= in.count + 1, "and nothing twice");

    trace = trace_open(loop, bus, &config);
    search(loop, trace, TRACE_LAST, "", false);
    search(loop, trace, TRACE_CALL, "0707", true);
    search(loop, trace, TRACE_REGISTER, "201", true);
    search(loop, trace, TRACE_ADDRESS, "192.0.2.7", false);
    trace_close(trace);
    loop_fake_advance(loop, 1000);
    return 0;
}
