/* libFuzzer: Authorization parameters, one a line, as a phone sends them. What is understood can be written again and
 * means the same; only who knows the password passes, only once, and only from where he got his challenge. The first
 * line is also a realm: nothing of it becomes more than the realm of a challenge. */
#include <stdio.h>
#include <stdlib.h>

#include "db/snapshot.h"
#include "sip/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LINES 40

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "does not hold: %s\n", what);
        abort();
    }
}

/* name="value" with what has to be escaped. */
static char *quoted(const char *name, const char *value)
{
    char *out = mem_new(strlen(name) + 2 * strlen(value) + 4), *at = out;

    at += sprintf(at, "%s=\"", name);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\')
            *at++ = '\\';
        *at++ = *value;
    }
    strcpy(at, "\"");
    return out;
}

static void write_again(const struct digest_credentials *given)
{
    struct digest_credentials again;
    char *params[10] = {quoted("username", given->username),
                        quoted("realm", given->realm),
                        quoted("nonce", given->nonce),
                        quoted("uri", given->uri),
                        quoted("response", given->response),
                        quoted("cnonce", given->cnonce),
                        quoted("nc", given->nc),
                        quoted("qop", given->qop),
                        quoted("algorithm", given->algorithm == DIGEST_MD5 ? "MD5" : "SHA-256")};

    must(digest_parse((const char *const *)params, &again) == 0, "what was understood can be written again");
    must(strcmp(given->username, again.username) == 0 && strcmp(given->realm, again.realm) == 0 &&
             strcmp(given->nonce, again.nonce) == 0 && strcmp(given->uri, again.uri) == 0 &&
             strcmp(given->response, again.response) == 0 && strcmp(given->cnonce, again.cnonce) == 0 &&
             strcmp(given->nc, again.nc) == 0 && strcmp(given->qop, again.qop) == 0 &&
             given->algorithm == again.algorithm,
         "and means the same");
    for (unsigned i = 0; params[i]; i++)
        free(params[i]);
}

/* What a realm becomes in a challenge: itself, or there is no challenge. */
static void check_challenge(const struct digest *digest, const char *realm, const union addr *source, char nonce[64])
{
    char text[1400], expected[1400];
    size_t used = 0;
    bool clean = !strpbrk(realm, "\"\\");
    int result = digest_challenge(digest, DIGEST_MD5, realm, source, false, text, sizeof text);

    for (const char *p = realm; *p; p++)
        clean = clean && (unsigned char)*p >= 0x20 && *p != 0x7F;
    nonce[0] = '\0';
    must(clean || result == -EINVAL, "a realm that would end its quotes is none");
    must(!clean || result == 0 || strlen(realm) > 1200, "any other one is");
    if (result < 0)
        return;
    str_copy_n(nonce, 64, text + strlen("Digest realm=\"\", nonce=\"") + strlen(realm), 32);
    str_append(expected, sizeof expected, &used, "Digest realm=\"%s\", nonce=\"%s\", algorithm=MD5, qop=\"auth\"",
               realm, nonce);
    must(strcmp(text, expected) == 0 && strspn(nonce, "0123456789abcdef") == 32, "it is the realm, and our nonce");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct loop *loop;
    static struct digest *digest;
    static struct account *account;
    char *text = mem_new(size + 1), *lines[LINES + 1] = {NULL}, nonce[64];
    struct digest_credentials given;
    union addr source, elsewhere;
    unsigned count = 0;

    if (!loop) {
        loop = loop_new_fake();
        digest = digest_new(loop);
        account = account_new("201", "r", "secret");
    }
    addr_parse_ip("192.0.2.7", 5060, &source);
    addr_parse_ip("192.0.2.8", 5060, &elsewhere);
    memcpy(text, data, size);
    for (char *at = text, *end; count < LINES && (size_t)(at - text) < size; at = end + 1) {
        end = at + strcspn(at, "\n");
        lines[count++] = at;
        if (!*end)
            break;
        *end = '\0';
    }
    if (count) {
        check_challenge(digest, lines[0], &source, nonce);
        if (digest_parse((const char *const *)lines, &given) == 0) {
            enum digest_verdict verdict;
            bool md5 = given.algorithm == DIGEST_MD5;
            const uint8_t *ha1 = md5 ? account->ha1_md5 : account->ha1_sha256;

            write_again(&given);
            must(digest_check(digest, &given, "INVITE", ha1, &source) != DIGEST_OK, "nobody guesses an answer");
            must(digest_check(digest, &given, "INVITE", NULL, &source) != DIGEST_OK, "nor one of nobody");
            if (nonce[0]) { /* now with the password */
                str_copy(given.nonce, sizeof given.nonce, nonce);
                digest_response(&given, "INVITE", ha1, given.response);
                must(digest_check(digest, &given, "INVITE", ha1, &elsewhere) == DIGEST_STALE, "not from elsewhere");
                must(digest_check(digest, &given, "BYE", ha1, &source) == DIGEST_WRONG, "nor for another method");
                verdict = digest_check(digest, &given, "INVITE", ha1, &source);
                must(verdict == DIGEST_OK || verdict == DIGEST_STALE, "who knows the password passes");
                must(digest_check(digest, &given, "INVITE", ha1, &source) == DIGEST_STALE, "once");
            }
        }
    }
    loop_fake_advance(loop, 7000);
    free(text);
    return 0;
}
