/* The sizes of the messages between tandemd and tandem-media, for checking what arrives. Any thread; knows no sockets.
 */
#include "media/proto.h"

size_t proto_size(unsigned kind)
{
    static const uint16_t sizes[PROTO_KINDS] = {
        [PROTO_HELLO] = sizeof(struct proto_hello),
        [PROTO_WANT] = sizeof(struct proto_count),
        [PROTO_TAKE] = sizeof(struct proto_command),
        [PROTO_RELEASE] = sizeof(struct proto_command),
        [PROTO_REMOTE] = sizeof(struct proto_remote),
        [PROTO_DIRECTION] = sizeof(struct proto_command),
        [PROTO_BRIDGE] = sizeof(struct proto_command),
        [PROTO_NAME] = sizeof(struct proto_command),
        [PROTO_UNBRIDGE] = sizeof(struct proto_command),
        [PROTO_ECHO] = sizeof(struct proto_command),
        [PROTO_END] = sizeof(struct proto_command),
        [PROTO_LOCAL] = sizeof(struct proto_local),
        [PROTO_KEYS] = sizeof(struct proto_keys),
        [PROTO_DTLS] = sizeof(struct proto_dtls),
        [PROTO_DTLS_NEWS] = sizeof(struct proto_dtls_news),
        [PROTO_WATCH] = sizeof(struct proto_watch),
        [PROTO_WELCOME] = sizeof(struct proto_hello),
        [PROTO_LISTED] = sizeof(struct proto_port),
        [PROTO_LIST_END] = sizeof(struct proto_command),
        [PROTO_GRANT] = sizeof(struct proto_port),
        [PROTO_GRANTED] = sizeof(struct proto_count),
        [PROTO_EVENT] = sizeof(struct proto_event),
        [PROTO_RELEASED] = sizeof(struct proto_event),
        [PROTO_PIECE] = sizeof(struct proto_piece),
        [PROTO_PLAY] = sizeof(struct proto_play),
        [PROTO_PLAY_STOP] = sizeof(struct proto_command),
        [PROTO_MUSIC] = sizeof(struct proto_command),
        [PROTO_KEY] = sizeof(struct proto_key),
        [PROTO_PLAYED] = sizeof(struct proto_played),
        [PROTO_STATUS] = sizeof(struct proto_status),
        [PROTO_BYE] = sizeof(struct proto_bye_message),
        [PROTO_MIX] = sizeof(struct proto_mix),
        [PROTO_RECORD] = sizeof(struct proto_record),
        [PROTO_RECORD_STOP] = sizeof(struct proto_command),
        [PROTO_RECORD_PAUSE] = sizeof(struct proto_command),
        [PROTO_RECORD_RESUME] = sizeof(struct proto_command),
        [PROTO_RECORDED] = sizeof(struct proto_recorded),
        [PROTO_KEY_WAYS] = sizeof(struct proto_command),
        [PROTO_PRESS] = sizeof(struct proto_key),
    };

    return kind < PROTO_KINDS ? sizes[kind] : 0;
}
