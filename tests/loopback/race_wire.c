/* The wire of the automatic phone: it counts and remembers what passes, and loses, repeats or holds back the one
 * message that it was told to. Test code on the loop's thread; it knows neither transactions nor calls. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "race_phone.h"

#define LATE_MS 100 /* a message that is held back and has no successor */
#define AGAIN_MS 50

/* --- the ladder -------------------------------------------------------------------------------------------------- */

void race_say(struct race_phone *phone, const char *fmt, ...)
{
    struct race_note *note;
    va_list ap;

    if (phone->note_count == COUNT_OF(phone->notes))
        return;
    note = &phone->notes[phone->note_count++];
    note->at_us = loop_now_us(phone->loop);
    va_start(ap, fmt);
    vsnprintf(note->text, sizeof note->text, fmt, ap);
    va_end(ap);
}

void race_complain(struct race_phone *phone, const char *fmt, ...)
{
    char text[sizeof phone->complaint];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    race_say(phone, "%.90s !", text);
    if (!phone->complaint[0])
        str_copy(phone->complaint, sizeof phone->complaint, text);
}

void race_print(struct race_phone *const *phones, unsigned count)
{
    unsigned at[4] = {0};
    uint64_t began = UINT64_MAX;

    for (;;) {
        unsigned next = count;

        for (unsigned i = 0; i < count; i++)
            if (at[i] < phones[i]->note_count &&
                (next == count || phones[i]->notes[at[i]].at_us < phones[next]->notes[at[next]].at_us))
                next = i;
        if (next == count)
            break;
        began = began == UINT64_MAX ? phones[next]->notes[at[next]].at_us : began;
        fprintf(stderr, "    %6.0f ms %*s%s: %s\n", (double)(phones[next]->notes[at[next]].at_us - began) / 1000,
                (int)next * 50, "", phones[next]->name, phones[next]->notes[at[next]].text);
        at[next]++;
    }
}

/* --- what passes ------------------------------------------------------------------------------------------------- */

static enum race_fault count_message(struct race_phone *phone, bool sent, const char *text)
{
    char first[60], cseq[40] = "";
    const char *line = strstr(text, "\r\nCSeq:"), *sdp = "";
    enum race_fault fault = RACE_NO_FAULT;
    static const char *const words[] = {"", " (lost)", " (twice)", " (held back)"};

    if (strstr(text, "\r\nm=audio"))
        sdp = strstr(text, "a=sendonly")   ? " [sendonly]"
              : strstr(text, "a=recvonly") ? " [recvonly]"
              : strstr(text, "a=inactive") ? " [inactive]"
                                           : " [sdp]";
    phone->heard_ms = now_ms();
    if (phone->counting && ++phone->messages == phone->fault_at)
        fault = phone->fault;
    str_copy_n(first, sizeof first, text, strcspn(text, "\r"));
    if (strncmp(text, "SIP/2.0 ", 8) == 0)
        memmove(first, first + 8, strlen(first + 8) + 1);
    else
        first[strcspn(first, ":")] = '\0';
    if (line)
        str_copy_n(cseq, sizeof cseq, line + 8, strcspn(line + 8, "\r"));
    race_say(phone, "%3u %s %.30s (%s)%s%s", phone->messages, sent ? "->" : "<-", first, cseq, sdp, words[fault]);
    return fault;
}

static void put_held(void *arg)
{
    struct race_phone *phone = arg;

    race_enter(phone);
    loop_timer_stop(phone->loop, &phone->held_timer);
    phone->held_is_late = false;
    race_say(phone, "    %s message %u %s", phone->held_was_sent ? "->" : "<-", phone->fault_at,
             phone->fault == RACE_LATE ? "at last" : "again");
    if (!phone->held_was_sent)
        race_heard(phone, &phone->held);
    else if (!phone->silent)
        ua_send_raw(phone->ua, phone->held.text, phone->held.len);
    race_leave(phone);
}

static void hold(struct race_phone *phone, bool sent, bool late, const char *text, size_t len)
{
    struct message *m = &phone->held;

    m->len = len;
    memcpy(m->text, text, len);
    m->text[len] = '\0';
    m->method[0] = '\0';
    m->status = strncmp(text, "SIP/2.0 ", 8) == 0 ? atoi(text + 8) : 0;
    if (!m->status)
        str_copy_n(m->method, sizeof m->method, text, strcspn(text, " "));
    phone->held_was_sent = sent;
    phone->held_is_late = late;
    loop_timer_start(phone->loop, &phone->held_timer, late ? LATE_MS : AGAIN_MS, put_held, phone);
}

void race_send(struct race_phone *phone, const char *text, size_t len)
{
    bool behind = phone->held_is_late && phone->held_was_sent;

    if (phone->silent)
        return;
    switch (count_message(phone, true, text)) {
    case RACE_LOST:
        return;
    case RACE_LATE:
        hold(phone, true, true, text, len);
        return;
    case RACE_TWICE:
        ua_send_raw(phone->ua, text, len);
        hold(phone, true, false, text, len);
        break;
    case RACE_NO_FAULT:
        break;
    }
    ua_send_raw(phone->ua, text, len);
    if (behind)
        put_held(phone);
}

/* A request for somebody else: for who had this port before. */
static bool is_stray(const struct race_phone *phone, const struct message *m)
{
    const char *uri = strchr(m->text, ' ');
    size_t len = strlen(phone->ua->user);

    return !m->status && uri && (strncmp(uri + 5, phone->ua->user, len) != 0 || uri[5 + len] != '@');
}

static void take(struct race_phone *phone, const struct message *m)
{
    bool behind = phone->held_is_late && !phone->held_was_sent;

    if (is_stray(phone, m))
        return;

    switch (count_message(phone, false, m->text)) {
    case RACE_LOST:
        return;
    case RACE_LATE:
        hold(phone, false, true, m->text, m->len);
        return;
    case RACE_TWICE:
        hold(phone, false, false, m->text, m->len);
        race_heard(phone, &phone->held);
        race_heard(phone, &phone->held);
        return;
    case RACE_NO_FAULT:
        race_heard(phone, m);
        break;
    }
    if (behind)
        put_held(phone);
}

static void readable(void *arg, int fd, unsigned what)
{
    struct race_phone *phone = arg;
    struct ua *ua = phone->ua;

    race_enter(phone);
    ua_poll(ua);
    while (ua->in_count) {
        const struct message *m = ua_take(ua, 0);

        if (!phone->silent)
            take(phone, m);
        ua_poll(ua);
    }
    if (ua->lost) {
        ua->lost = false;
        race_reset(phone);
    }
    race_leave(phone);
}

void race_listen(struct race_phone *phone)
{
    loop_unwatch(phone->watch);
    phone->watch = loop_watch(phone->loop, phone->ua->link.fd, LOOP_READ, readable, phone);
}

void race_enter(struct race_phone *phone)
{
    phone->depth++;
}

void race_leave(struct race_phone *phone)
{
    if (--phone->depth)
        return;
    while (phone->told < phone->messages) {
        unsigned n = ++phone->told;

        phone->on_message(phone->arg, phone, n);
    }
}
