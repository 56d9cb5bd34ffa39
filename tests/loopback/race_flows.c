/* The flows of the races: what each phone does by itself, and how the call ends then. Test data. */
#include "race.h"

#define HANG_UP                                                                                                        \
    {                                                                                                                  \
        RACE_BYE, 20                                                                                                   \
    }

/* callers */
static const struct race_policy hangs_up = {.plan = {HANG_UP}};
static const struct race_policy waits = {.ring = 0};
static const struct race_policy gives_up = {.cancel_ms = 20};
static const struct race_policy wants_prack = {.reliable = true, .plan = {HANG_UP}};
static const struct race_policy offers_late = {.late_offer = true, .plan = {HANG_UP}};
static const struct race_policy holds = {.plan = {{RACE_HOLD, 10}, {RACE_RESUME, 10}, HANG_UP}};
static const struct race_policy holds_by_update = {
    .plan = {{RACE_HOLD_BY_UPDATE, 10}, {RACE_RESUME_BY_UPDATE, 10}, HANG_UP}};
static const struct race_policy offers_too = {.plan = {{RACE_HOLD, 10}, {RACE_RESUME, 10}, {RACE_BYE, 150}}};
static const struct race_policy registers = {.plan = {{RACE_REGISTER, 10}, HANG_UP}};
static const struct race_policy refreshes = {.headers = "Supported: timer\r\nSession-Expires: 90;refresher=uac\r\n",
                                             .plan = {{RACE_REFRESH, 300}, {RACE_BYE, 1000}}};
static const struct race_policy asks = {.plan = {{RACE_ASK, 10}, {RACE_HOLD, 10}, {RACE_ASK, 10}, HANG_UP}};
static const struct race_policy stays_long = {.plan = {{RACE_BYE, 80}}};

/* callees */
static const struct race_policy answers = {.ring = 180, .status = 200, .answer_ms = 20};
static const struct race_policy answers_and_hangs_up = {.ring = 180, .status = 200, .answer_ms = 20, .plan = {HANG_UP}};
static const struct race_policy is_busy = {.status = 486, .answer_ms = 5};
static const struct race_policy rejects = {.ring = 180, .status = 603, .answer_ms = 20};
static const struct race_policy only_rings = {.ring = 180};
static const struct race_policy plays_early_media = {.ring = 183, .formats = "0"};
static const struct race_policy plays_and_is_busy = {.ring = 183, .status = 486, .answer_ms = 20, .formats = "0"};
static const struct race_policy answers_in_pcma = {.ring = 180, .status = 200, .answer_ms = 30, .formats = "8"};
static const struct race_policy answers_reliably = {.ring = 183, .status = 200, .answer_ms = 20, .reliable = true};
static const struct race_policy redirects = {.ring = 180, .status = 302, .answer_ms = 5};
static const struct race_policy is_refreshed = {
    .ring = 180, .status = 200, .answer_ms = 20, .headers = "Supported: timer\r\nSession-Expires: 2;refresher=uac\r\n"};
static const struct race_policy answers_and_holds = {
    .ring = 180, .status = 200, .answer_ms = 20, .plan = {{RACE_HOLD, 10}, {RACE_RESUME, 10}}};
static const struct race_policy answers_and_asks = {
    .ring = 180, .status = 200, .answer_ms = 20, .plan = {{RACE_ASK, 10}, HANG_UP}};
static const struct race_policy answers_and_registers = {
    .ring = 180, .status = 200, .answer_ms = 20, .plan = {{RACE_REGISTER, 5}}};

const struct race_flow race_flows[] = {
    {"the caller hangs up", "%b", {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &answers}}, "normal"},
    {"the caller hangs up, TCP", "%b", {{'a', UA_TCP, &hangs_up}, {'b', UA_TCP, &answers}}, "normal"},
    {"the caller hangs up, TCP to UDP", "%b", {{'a', UA_TCP, &hangs_up}, {'b', UA_UDP, &answers}}, "normal"},
    {"the callee hangs up", "%b", {{'a', UA_UDP, &waits}, {'b', UA_UDP, &answers_and_hangs_up}}, "normal"},
    {"the callee hangs up, UDP to TCP", "%b", {{'a', UA_UDP, &waits}, {'b', UA_TCP, &answers_and_hangs_up}}, "normal"},
    {"busy", "%b", {{'a', UA_UDP, &waits}, {'b', UA_UDP, &is_busy}}, "busy"},
    {"rejected", "%b", {{'a', UA_UDP, &waits}, {'b', UA_UDP, &rejects}}, "rejected"},
    {"rejected, TCP", "%b", {{'a', UA_TCP, &waits}, {'b', UA_TCP, &rejects}}, "rejected"},
    {"no answer", "t%b", {{'a', UA_UDP, &waits}, {'b', UA_UDP, &only_rings}}, "no-answer phone-silent"},
    {"the caller gives up", "%b", {{'a', UA_UDP, &gives_up}, {'b', UA_UDP, &only_rings}}, "cancelled"},
    {"the caller gives up, TCP", "%b", {{'a', UA_TCP, &gives_up}, {'b', UA_TCP, &only_rings}}, "cancelled"},
    {"early media and a winner with another codec",
     "%b",
     {{'a', UA_UDP, &stays_long}, {'b', UA_UDP, &plays_early_media}, {'b', UA_UDP, &answers_in_pcma}},
     "normal"},
    {"PRACK on both legs", "%b", {{'a', UA_UDP, &wants_prack}, {'b', UA_UDP, &answers_reliably}}, "normal"},
    {"a late offer", "%b", {{'a', UA_UDP, &offers_late}, {'b', UA_UDP, &answers}}, "normal"},
    {"hold and resume", "%b", {{'a', UA_UDP, &holds}, {'b', UA_UDP, &answers}}, "normal"},
    {"hold and resume, TCP", "%b", {{'a', UA_TCP, &holds}, {'b', UA_TCP, &answers}}, "normal"},
    {"hold and resume by UPDATE", "%b", {{'a', UA_UDP, &holds_by_update}, {'b', UA_UDP, &answers}}, "normal"},
    {"glare", "%b", {{'a', UA_UDP, &offers_too}, {'b', UA_UDP, &answers_and_holds}}, "normal"},
    {"two phones of one account",
     "%b",
     {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &answers}, {'b', UA_UDP, &only_rings}},
     "normal"},
    {"two phones of one account, TCP",
     "%b",
     {{'a', UA_TCP, &hangs_up}, {'b', UA_TCP, &answers}, {'b', UA_UDP, &only_rings}},
     "normal"},
    {"dialled in order",
     "o%",
     {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &only_rings}, {'c', UA_UDP, &answers}},
     "normal no-answer phone-silent"},
    {"redirected", "%b", {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &redirects}, {'c', UA_UDP, &answers}}, "normal"},
    {"session timers", "%b", {{'a', UA_UDP, &refreshes}, {'b', UA_UDP, &is_refreshed}}, "normal"},
    {"registering in a call", "%b", {{'a', UA_UDP, &registers}, {'b', UA_UDP, &answers_and_registers}}, "normal"},
    {"offers are asked for", "%b", {{'a', UA_UDP, &asks}, {'b', UA_UDP, &answers}}, "normal"},
    {"the callee asks for an offer", "%b", {{'a', UA_TCP, &waits}, {'b', UA_UDP, &answers_and_asks}}, "normal"},
    {"two phones answer", "%b", {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &answers}, {'b', UA_TCP, &answers}}, "normal"},
    {"busy, and the next one answers",
     "o%",
     {{'a', UA_UDP, &hangs_up}, {'b', UA_UDP, &is_busy}, {'c', UA_UDP, &answers}},
     "normal no-answer phone-silent busy"},
    {"redirected, TCP", "%b", {{'a', UA_TCP, &hangs_up}, {'b', UA_TCP, &redirects}, {'c', UA_TCP, &answers}}, "normal"},
    {"PRACK on both legs, TCP", "%b", {{'a', UA_TCP, &wants_prack}, {'b', UA_TCP, &answers_reliably}}, "normal"},
    {"a late offer, TCP", "%b", {{'a', UA_TCP, &offers_late}, {'b', UA_TCP, &answers}}, "normal"},
    {"a late offer and PRACK", "%b", {{'a', UA_UDP, &offers_late}, {'b', UA_UDP, &answers_reliably}}, "normal"},
    {"answered by the script, then dialled", "s%", {{'a', UA_UDP, &stays_long}, {'b', UA_UDP, &answers}}, "normal"},
    {"answered by the script, and two are dialled",
     "a%",
     {{'a', UA_TCP, &waits}, {'b', UA_UDP, &answers_and_hangs_up}, {'c', UA_UDP, &answers_and_hangs_up}},
     "normal"},
    {"early media, busy, and the script dials another",
     "q%",
     {{'a', UA_UDP, &stays_long}, {'b', UA_UDP, &plays_and_is_busy}, {'c', UA_UDP, &answers_in_pcma}},
     "normal no-answer phone-silent busy"},
    {"echo", "*43", {{'a', UA_UDP, &hangs_up}}, "normal"},
    {"echo, TCP", "*43", {{'a', UA_TCP, &hangs_up}}, "normal"},
};
const unsigned race_flow_count = COUNT_OF(race_flows);

const char race_dialplan[] =
    "include('accounts.lua')\n"
    "extension('internal', '*43', function(call) call:echo() end)\n"
    "extension('internal', '_t.', function(call) call:dial{ to = call.extension:sub(2), timeout = 0.3 } end)\n"
    "extension('internal', '_o.', function(call) local lane = call.extension:sub(2)\n"
    "  call:dial{ to = { lane .. 'b', lane .. 'c' }, timeout = 0.3, in_order = true } end)\n"
    "extension('internal', '_s.', function(call) local lane = call.extension:sub(2)\n"
    "  call:ring() call:sleep(0.02) call:answer() call:sleep(0.03) call:dial{ to = lane .. 'b', timeout = 0.5 } end)\n"
    "extension('internal', '_a.', function(call) local lane = call.extension:sub(2)\n"
    "  call:answer() call:dial{ to = lane .. 'b', timeout = 0.5 }\n"
    "  call:dial{ to = lane .. 'c', timeout = 0.5 } end)\n"
    "extension('internal', '_q.', function(call) local lane = call.extension:sub(2)\n"
    "  local first = call:dial{ to = lane .. 'b', timeout = 0.5 }\n"
    "  if first.status ~= 'answered' then call:dial{ to = lane .. 'c', timeout = 0.5 } end end)\n"
    "extension('internal', '_.', function(call) dial_account(call, call.extension, 60) end)\n";
