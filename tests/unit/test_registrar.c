/* The registrar against a switch that the test plays: what phones get, what callers find, what is kept. */
#include <check.h>
#include <stdlib.h>

#include "base/obj.h"
#include "bindings.h"
#include "fake_registrar_core.h"

extern const struct module tandem_module;

static struct module_ctx *core;
static struct account *a201;
static void *state;

static void setup(void)
{
    core = core_new();
    core->settings[0].name = "phone_keepalive"; /* test_reach.c has them */
    a201 = core_account(core, "201", 2);
    ck_assert_int_eq(tandem_module.start(core, &state), 0);
}

static void teardown(void)
{
    tandem_module.stop(state);
    core_free(core);
}

static struct sipmsg request(uint32_t cseq)
{
    struct sipmsg m = {.account = a201, .to_user = "201", .call_id = "call-1", .cseq = cseq, .expires = -1};

    m.flow = "flow-1";
    m.user_agent = "Phone/1";
    addr_parse("192.0.2.7:5060", 0, &m.source);
    return m;
}

static void with_contact(struct sipmsg *m, const char *uri, int expires)
{
    struct sipmsg_contact *c = &m->contacts[m->contact_count++];

    str_copy(c->uri, sizeof c->uri, uri);
    c->expires = expires;
    c->q = 1;
}

static int serve(struct sipmsg *m)
{
    core->on_register(core->on_register_arg, m);
    ck_assert_int_ne(m->status, 0);
    return m->status;
}

static int registers(uint32_t cseq, const char *uri, int expires)
{
    struct sipmsg m = request(cseq);

    with_contact(&m, uri, expires);
    return serve(&m);
}

static bool answers_with(const struct sipmsg *m, const char *header)
{
    for (unsigned i = 0; i < m->header_count; i++)
        if (strstr(m->headers[i], header))
            return true;
    return false;
}

static unsigned reachable(const char *account)
{
    struct endpoint out[ROUTE_ENDPOINTS_MAX];
    int count = core->resolve(core->resolve_arg, &core->pbx, account, out, ROUTE_ENDPOINTS_MAX);

    for (int i = 0; i < count; i++)
        obj_unref(out[i].account, "endpoint");
    ck_assert_int_ge(count, 0);
    return (unsigned)count;
}

static void advance(uint64_t ms)
{
    loop_fake_advance(core->pbx.loop, ms);
}

/* A field of a kept row, as text; NULL when the row or the field is not there. */
static const char *kept(const char *key, const char *name)
{
    static char text[512];
    json_t *row = core_live_row(core, "201", key);
    json_t *value = json_object_get(row, name);

    if (value && json_is_string(value))
        str_copy(text, sizeof text, json_string_value(value));
    else if (value)
        snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
    json_decref(row);
    return value ? text : NULL;
}

/* --- registering
 * ------------------------------------------------------------------------------------------------------ */

START_TEST(a_phone_registers_and_can_be_called)
{
    struct sipmsg m = request(1);
    struct endpoint to[4];

    with_contact(&m, "sip:201@192.0.2.7:5060", -1);
    m.path = "<sip:proxy.example.org;lr>";
    m.supported = "path";
    ck_assert_int_eq(serve(&m), 200);
    ck_assert(answers_with(&m, "Contact: <sip:201@192.0.2.7:5060>;expires=3600"));
    ck_assert(answers_with(&m, "Path: <sip:proxy.example.org;lr>"));
    ck_assert(answers_with(&m, " GMT"));
    ck_assert_uint_eq(core->registered, 1);
    ck_assert_str_eq(core->last_contact, "sip:201@192.0.2.7:5060");
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 4), 1);
    ck_assert_str_eq(to[0].uri, "sip:201@192.0.2.7:5060");
    ck_assert_str_eq(to[0].flow, "flow-1");
    ck_assert_str_eq(to[0].path, "<sip:proxy.example.org;lr>");
    ck_assert_str_eq(to[0].number, "201");
    ck_assert_ptr_eq(to[0].account, a201);
    obj_unref(to[0].account, "endpoint");
}
END_TEST

START_TEST(an_unknown_account_is_no_destination_and_a_known_one_may_be_unreachable)
{
    struct endpoint to[4];

    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "999", to, 4), -ENOENT);
    ck_assert_uint_eq(reachable("201"), 0);
    registers(1, "sip:201@192.0.2.7", 600);
    a201->enabled = false;
    ck_assert_uint_eq(reachable("201"), 0);
    a201->enabled = true;
    ck_assert_uint_eq(reachable("201"), 1);
}
END_TEST

START_TEST(an_account_cannot_register_another)
{
    struct sipmsg m = request(1);

    with_contact(&m, "sip:202@192.0.2.7", 600);
    m.to_user = "202";
    ck_assert_int_eq(serve(&m), 403);
    ck_assert_ptr_nonnull(strstr(m.phrase, "201 cannot register 202"));
    ck_assert_uint_eq(core->registered, 0);
}
END_TEST

START_TEST(a_refresh_is_no_event)
{
    registers(1, "sip:201@192.0.2.7", 600);
    advance(300000);
    ck_assert_int_eq(registers(2, "sip:201@192.0.2.7", 600), 200);
    ck_assert_uint_eq(core->registered, 1);
    advance(400000);
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_uint_eq(core->unregistered, 0);
}
END_TEST

START_TEST(a_registration_expires)
{
    registers(1, "sip:201@192.0.2.7", 60);
    advance(59000);
    ck_assert_uint_eq(reachable("201"), 1);
    advance(1500);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core->unregistered, 1);
}
END_TEST

START_TEST(an_interval_that_is_too_brief_is_refused_with_the_least_one)
{
    struct sipmsg m = request(1);

    with_contact(&m, "sip:201@192.0.2.7", 59);
    ck_assert_int_eq(serve(&m), 423);
    ck_assert(answers_with(&m, "Min-Expires: 60"));
    ck_assert_uint_eq(reachable("201"), 0);
}
END_TEST

START_TEST(a_long_interval_is_cut_and_the_header_counts_when_the_contact_says_nothing)
{
    struct sipmsg m = request(1), n = request(2);

    with_contact(&m, "sip:201@192.0.2.7", 100000);
    ck_assert_int_eq(serve(&m), 200);
    ck_assert(answers_with(&m, ";expires=7200"));
    with_contact(&n, "sip:201@192.0.2.7", -1);
    n.expires = 120;
    ck_assert_int_eq(serve(&n), 200);
    ck_assert(answers_with(&n, ";expires=120"));
}
END_TEST

START_TEST(expires_zero_removes_one_contact)
{
    registers(1, "sip:201@192.0.2.7", 600);
    registers(2, "sip:201@192.0.2.8", 600);
    ck_assert_int_eq(registers(3, "sip:201@192.0.2.7", 0), 200);
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_uint_eq(core->unregistered, 1);
    ck_assert_str_eq(core->last_contact, "sip:201@192.0.2.7");
    ck_assert_int_eq(registers(4, "sip:201@192.0.2.99", 0), 200); /* what is not there is gone already */
}
END_TEST

START_TEST(a_star_removes_all_and_only_with_expires_zero)
{
    struct sipmsg m = request(3), n = request(4), late = request(2);

    registers(1, "sip:201@192.0.2.7", 600);
    registers(2, "sip:201@192.0.2.8", 600);
    m.star = n.star = late.star = true;
    m.contact_count = n.contact_count = late.contact_count = 1;
    m.expires = 600;
    ck_assert_int_eq(serve(&m), 400);
    late.expires = 0;
    ck_assert_int_eq(serve(&late), 500);
    ck_assert_uint_eq(reachable("201"), 2);
    n.expires = 0;
    ck_assert_int_eq(serve(&n), 200);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core->unregistered, 2);
    ck_assert(!answers_with(&n, "Contact:"));
}
END_TEST

START_TEST(a_query_changes_nothing_and_lists_all)
{
    struct sipmsg m = request(9);

    registers(1, "sip:201@192.0.2.7", 600);
    registers(2, "sip:201@192.0.2.8", 600);
    advance(100000);
    ck_assert_int_eq(serve(&m), 200);
    ck_assert(answers_with(&m, "<sip:201@192.0.2.7>;expires=500"));
    ck_assert(answers_with(&m, "<sip:201@192.0.2.8>;expires=500"));
}
END_TEST

START_TEST(out_of_order_requests_change_nothing)
{
    struct sipmsg other = request(1);

    registers(5, "sip:201@192.0.2.7", 600);
    ck_assert_int_eq(registers(5, "sip:201@192.0.2.7", 0), 500);
    ck_assert_int_eq(registers(4, "sip:201@192.0.2.7", 0), 500);
    ck_assert_uint_eq(reachable("201"), 1);
    other.call_id = "after-a-reboot";
    with_contact(&other, "sip:201@192.0.2.7", 600);
    ck_assert_int_eq(serve(&other), 200);
}
END_TEST

START_TEST(a_refused_request_changes_nothing_at_all)
{
    struct sipmsg m = request(1);

    with_contact(&m, "sip:201@192.0.2.7", 600);
    with_contact(&m, "sip:201@192.0.2.8", 5);
    ck_assert_int_eq(serve(&m), 423);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core->registered, 0);
}
END_TEST

START_TEST(more_phones_than_allowed_are_refused_in_words)
{
    struct sipmsg m = request(3), swap = request(4);

    registers(1, "sip:201@192.0.2.7", 600);
    registers(2, "sip:201@192.0.2.8", 600);
    with_contact(&m, "sip:201@192.0.2.9", 600);
    ck_assert_int_eq(serve(&m), 403);
    ck_assert_ptr_nonnull(strstr(m.phrase, "may have 2 phones"));
    ck_assert_int_eq(registers(3, "sip:201@192.0.2.7", 600), 200); /* a refresh is never one too many */
    with_contact(&swap, "sip:201@192.0.2.9", 600);
    with_contact(&swap, "sip:201@192.0.2.8", 0);
    ck_assert_int_eq(serve(&swap), 200); /* one comes, one goes */
    ck_assert_uint_eq(reachable("201"), 2);
}
END_TEST

START_TEST(the_oldest_makes_room_when_the_option_says_so)
{
    tandem_module.stop(state);
    core->options[0] = "replace_oldest";
    core->options[1] = "yes";
    ck_assert_int_eq(tandem_module.start(core, &state), 0);
    registers(1, "sip:201@192.0.2.7", 600);
    registers(2, "sip:201@192.0.2.8", 500);
    ck_assert_int_eq(registers(3, "sip:201@192.0.2.9", 600), 200);
    ck_assert_uint_eq(reachable("201"), 2);
    ck_assert_uint_eq(core->unregistered, 1);
}
END_TEST

START_TEST(bad_contacts_are_refused)
{
    struct sipmsg m = request(1), n = request(2);

    ck_assert_int_eq(registers(1, "tel:+441632960000", 600), 400);
    ck_assert_int_eq(registers(1, "sip:", 600), 400);
    ck_assert_int_eq(registers(1, "sip:201@192.0.2.7>\r\nVia: x", 600), 400);
    m.contact_count = -EINVAL;
    ck_assert_int_eq(serve(&m), 400);
    with_contact(&n, "sip:201@192.0.2.7", 600);
    str_copy(n.contacts[0].instance, sizeof n.contacts[0].instance, "x\";evil=\"1");
    ck_assert_int_eq(serve(&n), 400);
}
END_TEST

START_TEST(a_phone_with_an_instance_keeps_its_binding_at_a_new_address)
{
    struct sipmsg m = request(1), n = request(2), other_flow = request(3);

    with_contact(&m, "sip:201@192.0.2.7:1000", 600);
    str_copy(m.contacts[0].instance, sizeof m.contacts[0].instance, "<urn:uuid:1>");
    m.contacts[0].reg_id = 1;
    ck_assert_int_eq(serve(&m), 200);
    ck_assert(answers_with(&m, ";+sip.instance=\"<urn:uuid:1>\";reg-id=1"));
    with_contact(&n, "sip:201@192.0.2.7:2000", 600);
    n.contacts[0] = m.contacts[0];
    str_copy(n.contacts[0].uri, sizeof n.contacts[0].uri, "sip:201@192.0.2.7:2000");
    ck_assert_int_eq(serve(&n), 200);
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_uint_eq(core->registered, 1);
    with_contact(&other_flow, "", 600);
    other_flow.contacts[0] = n.contacts[0];
    other_flow.contacts[0].reg_id = 2;
    ck_assert_int_eq(serve(&other_flow), 200);
    ck_assert_uint_eq(reachable("201"), 2);
}
END_TEST

START_TEST(nobody_registers_for_somebody_else)
{
    struct sipmsg m = request(1);

    with_contact(&m, "sip:201@192.0.2.7", 600);
    m.from_user = "secretary";
    ck_assert_int_eq(serve(&m), 403);
    ck_assert_ptr_nonnull(strstr(m.phrase, "secretary may not register account 201"));
    ck_assert_uint_eq(reachable("201"), 0);
}
END_TEST

START_TEST(a_path_is_for_those_who_know_it_and_must_be_usable)
{
    struct sipmsg unsaid = request(1), unreadable = request(1), foreign = request(1), two = request(1);
    struct endpoint to[1];

    with_contact(&unsaid, "sip:201@192.0.2.7", 600);
    unreadable.contacts[0] = foreign.contacts[0] = two.contacts[0] = unsaid.contacts[0];
    unreadable.contact_count = foreign.contact_count = two.contact_count = 1;
    unreadable.supported = foreign.supported = two.supported = "path";
    unsaid.path = "<sip:p1.example.org;lr>";
    ck_assert_int_eq(serve(&unsaid), 420);
    ck_assert(answers_with(&unsaid, "Unsupported: path"));
    unreadable.path = "sip:p1.example.org";
    ck_assert_int_eq(serve(&unreadable), 400);
    foreign.path = "<sip:p1.example.org;lr>, <tel:123>";
    ck_assert_int_eq(serve(&foreign), 400);
    ck_assert_uint_eq(reachable("201"), 0);
    two.path = "<sip:p2.example.org;lr>, <sip:p1.example.org;lr>;x=1";
    ck_assert_int_eq(serve(&two), 200);
    ck_assert(answers_with(&two, "Path: <sip:p2.example.org;lr>, <sip:p1.example.org;lr>;x=1"));
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 1), 1);
    ck_assert_str_eq(to[0].path, "<sip:p2.example.org;lr>, <sip:p1.example.org;lr>;x=1");
    obj_unref(to[0].account, "endpoint");
}
END_TEST

static struct sipmsg with_flow(uint32_t cseq, const char *uri, unsigned reg_id, const char *flow)
{
    struct sipmsg m = request(cseq);

    with_contact(&m, uri, 600);
    str_copy(m.contacts[0].instance, sizeof m.contacts[0].instance, "<urn:uuid:1>");
    m.contacts[0].reg_id = reg_id;
    m.flow = flow;
    return m;
}

START_TEST(outbound_is_in_force_over_connections_only)
{
    struct sipmsg udp = with_flow(1, "sip:201@192.0.2.7", 1, "f"), tcp = with_flow(2, "sip:201@192.0.2.7", 1, "f"),
                  insists = with_flow(3, "sip:201@192.0.2.7", 1, "f"),
                  behind = with_flow(4, "sip:201@192.0.2.7", 1, "f");

    udp.supported = tcp.supported = "outbound";
    insists.require = "outbound";
    tcp.stream = true;
    ck_assert_int_eq(serve(&udp), 200);
    ck_assert(!answers_with(&udp, "Require:"));
    ck_assert_int_eq(serve(&tcp), 200);
    ck_assert(answers_with(&tcp, "Require: outbound"));
    ck_assert_int_eq(serve(&insists), 439);
    behind.contacts[0].reg_id = 0; /* without a reg-id there is nothing to insist on (RFC 5626 §6) */
    behind.require = "outbound";
    ck_assert_int_eq(serve(&behind), 200);
    ck_assert(!answers_with(&behind, "Require:"));
}
END_TEST

START_TEST(a_phone_with_two_flows_rings_once_on_one_that_is_up)
{
    struct sipmsg one = with_flow(1, "sip:201@192.0.2.7", 1, "flow-a"),
                  two = with_flow(2, "sip:201@192.0.2.7", 2, "flow-b");
    struct endpoint to[4];

    ck_assert_int_eq(serve(&one), 200);
    advance(1000);
    ck_assert_int_eq(serve(&two), 200);
    ck_assert(answers_with(&two, ";reg-id=1"));
    ck_assert(answers_with(&two, ";reg-id=2"));
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 4), 1);
    ck_assert_str_eq(to[0].flow, "flow-b");
    obj_unref(to[0].account, "endpoint");
    core->dead_flow = "flow-b";
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 4), 1);
    ck_assert_str_eq(to[0].flow, "flow-a");
    obj_unref(to[0].account, "endpoint");
}
END_TEST

START_TEST(a_sips_contact_takes_a_connection_by_tls)
{
    struct sipmsg open = request(1), closed = request(2);
    struct endpoint to[4];

    with_contact(&open, "SIPS:201@192.0.2.7", 600);
    ck_assert_int_eq(serve(&open), 400);
    ck_assert_ptr_nonnull(strstr(open.phrase, "takes a connection by TLS"));
    with_contact(&closed, "sips:201@192.0.2.7", 600);
    closed.flow = "tls-1";
    ck_assert_int_eq(serve(&closed), 200);
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 4), 1);
    ck_assert(to[0].secure);
    obj_unref(to[0].account, "endpoint");
}
END_TEST

START_TEST(what_a_contact_says_beside_comes_back)
{
    struct sipmsg m = request(1), query = request(2);

    with_contact(&m, "sip:201@192.0.2.7", 600);
    str_copy(m.contacts[0].params, sizeof m.contacts[0].params, ";audio;methods=\"INVITE, ACK\"");
    ck_assert_int_eq(serve(&m), 200);
    ck_assert_int_eq(serve(&query), 200);
    ck_assert(answers_with(&query, ">;expires=600;audio;methods=\"INVITE, ACK\""));
}
END_TEST

START_TEST(a_phone_that_leaves_its_instance_out_for_a_while_stays_one_row)
{
    struct sipmsg with = with_flow(1, "sip:201@192.0.2.7", 0, "f"), moved = with_flow(3, "sip:201@192.0.2.8", 0, "f");

    ck_assert_int_eq(serve(&with), 200);
    ck_assert_int_eq(registers(2, "sip:201@192.0.2.7", 600), 200);
    ck_assert_int_eq(serve(&moved), 200);
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_uint_eq(core_live_rows(core), 1);
    ck_assert_str_eq(kept("<urn:uuid:1>#0", "contact_uri"), "sip:201@192.0.2.8");
}
END_TEST

START_TEST(preferred_contacts_come_first)
{
    struct sipmsg m = request(1);
    struct endpoint to[1];

    with_contact(&m, "sip:201@192.0.2.7", 600);
    with_contact(&m, "sip:201@192.0.2.8", 600);
    m.contacts[0].q = 0.5;
    ck_assert_int_eq(serve(&m), 200);
    ck_assert(answers_with(&m, ";q=0.5"));
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 1), 1);
    ck_assert_str_eq(to[0].uri, "sip:201@192.0.2.8");
    ck_assert(to[0].q == 1);
    obj_unref(to[0].account, "endpoint");
}
END_TEST

START_TEST(the_command_lists_registrations_by_account)
{
    json_t *params = json_object(), *list;

    a201 = core_account(core, "150", 1);
    {
        struct sipmsg m = request(1);

        m.to_user = "150";
        with_contact(&m, "sip:150@192.0.2.5", 600);
        ck_assert_int_eq(serve(&m), 200);
    }
    a201 = core->accounts[0];
    registers(1, "sip:201@192.0.2.7", 600);
    core->command(core->command_arg, NULL, params);
    list = json_object_get(core->reply, "registrations");
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 0), "account")), "150");
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "peer")), "192.0.2.7:5060");
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(list, 1), "expires_in")), 600);
    ck_assert_str_eq(json_string_value(json_object_get(json_array_get(list, 1), "user_agent")), "Phone/1");
    json_object_set_new(params, "account", json_string("201"));
    core->command(core->command_arg, NULL, params);
    ck_assert_uint_eq(json_array_size(json_object_get(core->reply, "registrations")), 1);
    json_decref(params);
}
END_TEST

START_TEST(many_accounts_stay_small_and_are_found)
{
    struct bindings table;

    bindings_init(&table, core->pbx.loop, NULL, NULL);
    for (int i = 0; i < 5000; i++) {
        char name[16], uri[64];
        struct binding_facts facts = {.uri = uri, .expires_us = UINT64_MAX / 2};

        snprintf(name, sizeof name, "%d", i);
        snprintf(uri, sizeof uri, "sip:%d@192.0.2.7", i);
        ck_assert_ptr_nonnull(bindings_add(&table, name, &facts));
    }
    ck_assert_uint_ge(table.bucket_count, 5000);
    ck_assert_ptr_nonnull(bindings_find(&table, "4321"));
    ck_assert_ptr_null(bindings_find(&table, "5000"));
    bindings_clear(&table);
}
END_TEST

/* --- what outlives a restart ---------------------------------------------------------------------------------------
 */

START_TEST(a_device_registers_for_its_account_by_either_name_and_is_forgotten_when_it_is_taken_away)
{
    struct device device = {.name = "201-desk", .account = "201", .enabled = true};
    struct sipmsg by_account = request(1), by_itself = request(1), other = request(1);

    a201->max_contacts = 3;
    core->device = by_account.device = by_itself.device = &device;
    with_contact(&by_account, "sip:201@192.0.2.7", 600);
    ck_assert_int_eq(serve(&by_account), 200);
    by_itself.to_user = "201-desk";
    by_itself.call_id = "call-2";
    with_contact(&by_itself, "sip:201-desk@192.0.2.8", 600);
    ck_assert_int_eq(serve(&by_itself), 200);
    ck_assert(answers_with(&by_itself, "sip:201@192.0.2.7")); /* they are bindings of one account */
    other.to_user = "201-desk"; /* the account's own credentials are not those of its device */
    other.call_id = "call-3";
    with_contact(&other, "sip:201@192.0.2.9", 600);
    ck_assert_int_eq(serve(&other), 403);
    ck_assert_int_eq(registers(7, "sip:201@192.0.2.10", 600), 200);
    ck_assert_uint_eq(reachable("201"), 3);
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "device"), "201-desk");
    core->on_config(core->on_config_arg, NULL);
    ck_assert_uint_eq(reachable("201"), 3);
    device.enabled = false;
    core->on_config(core->on_config_arg, NULL);
    ck_assert_uint_eq(reachable("201"), 1);
}
END_TEST

static void restart(void)
{
    tandem_module.stop(state);
    ck_assert_int_eq(tandem_module.start(core, &state), 0);
}

START_TEST(a_registration_is_a_live_row_with_all_that_is_needed_to_call_the_phone)
{
    registers(1, "sip:201@192.0.2.7", 600);
    ck_assert_uint_eq(core_live_rows(core), 1);
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "contact_uri"), "sip:201@192.0.2.7");
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "flow"), "flow-1");
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "peer"), "192.0.2.7:5060");
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "user_agent"), "Phone/1");
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "cseq"), "1");
    ck_assert_ptr_null(kept("sip:201@192.0.2.7", "path"));
    registers(2, "sip:201@192.0.2.7", 600);
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "cseq"), "2");
    registers(3, "sip:201@192.0.2.7", 0);
    ck_assert_uint_eq(core_live_rows(core), 0);
}
END_TEST

START_TEST(text_that_is_no_utf_8_is_made_so)
{
    struct sipmsg m = request(1);

    m.user_agent = "Phone \xff\xfe";
    with_contact(&m, "sip:201@192.0.2.7", 600);
    ck_assert_int_eq(serve(&m), 200);
    ck_assert_str_eq(kept("sip:201@192.0.2.7", "user_agent"), "Phone ??");
}
END_TEST

START_TEST(an_expired_registration_is_no_row_any_more)
{
    registers(1, "sip:201@192.0.2.7", 60);
    advance(61000);
    ck_assert_uint_eq(core_live_rows(core), 0);
}
END_TEST

START_TEST(after_a_restart_phones_are_reachable_as_before)
{
    struct sipmsg m = request(1);
    struct endpoint to[2];

    m.path = "<sip:192.0.2.1;lr>";
    m.supported = "path";
    with_contact(&m, "sip:201@192.0.2.7", 100);
    m.contacts[0].q = 0.5;
    ck_assert_int_eq(serve(&m), 200);
    restart();
    ck_assert_int_eq(core->resolve(core->resolve_arg, &core->pbx, "201", to, 2), 1);
    ck_assert_str_eq(to[0].uri, "sip:201@192.0.2.7");
    ck_assert_str_eq(to[0].flow, "flow-1");
    ck_assert_str_eq(to[0].path, "<sip:192.0.2.1;lr>");
    ck_assert(to[0].q == 0.5);
    obj_unref(to[0].account, "endpoint");
    ck_assert_uint_eq(core->registered, 1);                        /* what comes back is no news */
    ck_assert_int_eq(registers(1, "sip:201@192.0.2.7", 600), 500); /* the order of its requests is known too */
    advance(101000);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core_live_rows(core), 0);
}
END_TEST

START_TEST(what_expired_while_the_switch_was_down_is_gone)
{
    registers(1, "sip:201@192.0.2.7", 60);
    tandem_module.stop(state);
    advance(61000);
    ck_assert_int_eq(tandem_module.start(core, &state), 0);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core_live_rows(core), 0);
}
END_TEST

START_TEST(a_row_that_people_delete_is_a_phone_that_is_gone)
{
    registers(1, "sip:201@192.0.2.7", 600);
    core_live_changes(core, "201", "sip:201@192.0.2.7", NULL);
    ck_assert_uint_eq(reachable("201"), 0);
    ck_assert_uint_eq(core->unregistered, 1);
    core_live_changes(core, "201", "sip:nobody@192.0.2.7", NULL);
    ck_assert_uint_eq(core->unregistered, 1);
}
END_TEST

START_TEST(a_row_that_people_change_is_taken_over)
{
    registers(1, "sip:201@192.0.2.7", 600);
    core_live_changes(core, "201", "sip:201@192.0.2.7",
                      "{\"contact_uri\": \"sip:201@192.0.2.7\", \"expires_at\": \"2001-01-01T00:00:00+00:00\"}");
    ck_assert_uint_eq(reachable("201"), 0); /* they let it expire */
    core_live_changes(core, "201", "x",
                      "{\"contact_uri\": \"sip:201@192.0.2.9\", \"expires_at\": \"2999-12-31T23:59:59.5+00:00\"}");
    ck_assert_uint_eq(reachable("201"), 1);
    core_live_changes(core, "201", "y", "{\"contact_uri\": \"sip:201@192.0.2.5\"}");
    core_live_changes(core, "201", "z", "no object");
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_uint_eq(core_live_rows(core), 1); /* what makes no sense is removed */
}
END_TEST

START_TEST(a_phone_that_went_away_before_its_row_was_known_is_removed_all_the_same)
{
    unsigned before = core->live_changes;
    struct sipmsg m = request(2);

    ck_assert_int_eq(registers(1, "sip:201@192.0.2.7", 0), 200);
    ck_assert_uint_eq(core->live_changes, before + 1); /* the row may be in the database only */
    ck_assert_uint_eq(core->unregistered, 0);          /* nobody knew of it */
    m.star = true;
    m.contact_count = 1;
    m.expires = 0;
    ck_assert_int_eq(serve(&m), 200);
    ck_assert_str_eq(core->cleared, "201");
}
END_TEST

START_TEST(of_two_rows_that_mean_one_phone_the_newer_one_stays)
{
    static const char with_instance[] =
        "{\"contact_uri\": \"sip:201@192.0.2.7\", \"instance\": \"<urn:uuid:1>\", \"expires_at\": "
        "\"2999-01-01T00:00:00Z\", \"updated_at\": \"%d-01-01T00:00:00Z\"}";
    char old[300], new[300];

    snprintf(old, sizeof old, with_instance, 2001);
    snprintf(new, sizeof new, with_instance, 2002);
    core_live_changes(core, "201", "sip:201@192.0.2.7", old); /* written before the phone said who it is */
    core_live_changes(core, "201", "<urn:uuid:1>#0", new);
    ck_assert_uint_eq(reachable("201"), 1);
    ck_assert_ptr_null(kept("sip:201@192.0.2.7", "contact_uri"));
    core_live_changes(core, "201", "sip:201@192.0.2.7", old);
    ck_assert_ptr_null(kept("sip:201@192.0.2.7", "contact_uri"));
    ck_assert_uint_eq(core_live_rows(core), 1);
}
END_TEST

/* --- URIs
 * --------------------------------------------------------------------------------------------------------------- */

START_TEST(uris_are_compared_as_the_standard_says)
{
    ck_assert(uri_same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
    ck_assert(uri_same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
    ck_assert(uri_same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"));
    ck_assert(!uri_same("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM"));
    ck_assert(!uri_same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    ck_assert(!uri_same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    ck_assert(!uri_same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
    ck_assert(!uri_same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
    ck_assert(!uri_same("sip:bob@[2001:db8::1]:5060", "sip:bob@[2001:db8::2]:5060"));
}
END_TEST

START_TEST(a_uri_has_one_key)
{
    char a[URI_KEY_MAX], b[URI_KEY_MAX], small[8];

    ck_assert_int_eq(uri_key("sip:%61b%3b@Host:5060;b=2;A=1", a, sizeof a), 0);
    ck_assert_int_eq(uri_key("SIP:ab%3B@hOST:5060;a=1;B=2", b, sizeof b), 0);
    ck_assert_str_eq(a, b);
    ck_assert_str_eq(a, "sip:ab%3B@host:5060;a=1;b=2");
    ck_assert_int_eq(uri_key("sip:a@b c", a, sizeof a), -EINVAL);
    ck_assert_int_eq(uri_key("sip:a@[::1", a, sizeof a), -EINVAL);
    ck_assert_int_eq(uri_key("sip:a@b:x", a, sizeof a), -EINVAL);
    ck_assert_int_eq(uri_key("sip:a%6@b", a, sizeof a), -EINVAL);
    ck_assert_int_eq(uri_key("nothing", a, sizeof a), -EINVAL);
    ck_assert_int_eq(uri_key("sip:alice@example.org", small, sizeof small), -E2BIG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("registrar");
    TCase *reg = tcase_create("REGISTER"), *store = tcase_create("live rows"), *uri = tcase_create("URIs");
    SRunner *runner = srunner_create(suite);
    int failed;

    tcase_add_checked_fixture(reg, setup, teardown);
    tcase_add_checked_fixture(store, setup, teardown);
    tcase_add_test(reg, a_phone_registers_and_can_be_called);
    tcase_add_test(reg, an_unknown_account_is_no_destination_and_a_known_one_may_be_unreachable);
    tcase_add_test(reg, an_account_cannot_register_another);
    tcase_add_test(reg, a_refresh_is_no_event);
    tcase_add_test(reg, a_registration_expires);
    tcase_add_test(reg, an_interval_that_is_too_brief_is_refused_with_the_least_one);
    tcase_add_test(reg, a_long_interval_is_cut_and_the_header_counts_when_the_contact_says_nothing);
    tcase_add_test(reg, expires_zero_removes_one_contact);
    tcase_add_test(reg, a_star_removes_all_and_only_with_expires_zero);
    tcase_add_test(reg, a_query_changes_nothing_and_lists_all);
    tcase_add_test(reg, out_of_order_requests_change_nothing);
    tcase_add_test(reg, a_refused_request_changes_nothing_at_all);
    tcase_add_test(reg, more_phones_than_allowed_are_refused_in_words);
    tcase_add_test(reg, the_oldest_makes_room_when_the_option_says_so);
    tcase_add_test(reg, bad_contacts_are_refused);
    tcase_add_test(reg, a_phone_with_an_instance_keeps_its_binding_at_a_new_address);
    tcase_add_test(reg, nobody_registers_for_somebody_else);
    tcase_add_test(reg, a_path_is_for_those_who_know_it_and_must_be_usable);
    tcase_add_test(reg, outbound_is_in_force_over_connections_only);
    tcase_add_test(reg, a_phone_with_two_flows_rings_once_on_one_that_is_up);
    tcase_add_test(reg, a_sips_contact_takes_a_connection_by_tls);
    tcase_add_test(reg, what_a_contact_says_beside_comes_back);
    tcase_add_test(reg, a_phone_that_leaves_its_instance_out_for_a_while_stays_one_row);
    tcase_add_test(reg, preferred_contacts_come_first);
    tcase_add_test(reg, the_command_lists_registrations_by_account);
    tcase_add_test(reg, many_accounts_stay_small_and_are_found);
    tcase_add_test(store, a_registration_is_a_live_row_with_all_that_is_needed_to_call_the_phone);
    tcase_add_test(store, text_that_is_no_utf_8_is_made_so);
    tcase_add_test(store, an_expired_registration_is_no_row_any_more);
    tcase_add_test(store, after_a_restart_phones_are_reachable_as_before);
    tcase_add_test(store, what_expired_while_the_switch_was_down_is_gone);
    tcase_add_test(store, a_row_that_people_delete_is_a_phone_that_is_gone);
    tcase_add_test(store, a_row_that_people_change_is_taken_over);
    tcase_add_test(store, a_phone_that_went_away_before_its_row_was_known_is_removed_all_the_same);
    tcase_add_test(store, of_two_rows_that_mean_one_phone_the_newer_one_stays);
    tcase_add_test(store, a_device_registers_for_its_account_by_either_name_and_is_forgotten_when_it_is_taken_away);
    tcase_add_test(uri, uris_are_compared_as_the_standard_says);
    tcase_add_test(uri, a_uri_has_one_key);
    suite_add_tcase(suite, reg);
    suite_add_tcase(suite, store);
    suite_add_tcase(suite, uri);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
