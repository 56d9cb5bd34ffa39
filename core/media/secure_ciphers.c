/* AES-GCM (RFC 7714), AES counter mode and HMAC-SHA1 (RFC 3711) as libsrtp2 wants them, by OpenSSL: a key is expanded
 * once, and a packet allocates nothing. Any thread, each cipher by one at a time. Knows no packets. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA_CTX: the newer face of it allocates with each packet */
#include "media/secure_ciphers.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <srtp2/auth.h>
#include <srtp2/cipher.h>
#include <srtp2/srtp.h>
#include <stdlib.h>

#include "base/base.h"

#define BLOCK 16
#define SALT 14 /* of counter mode */
#define TAG 16

struct cipher {
    srtp_cipher_t face;
    EVP_CIPHER_CTX *ctx;
    uint8_t salt[BLOCK]; /* counter mode */
    unsigned tag_len;    /* GCM */
};

static srtp_err_status_t judged(bool good)
{
    return good ? srtp_err_status_ok : srtp_err_status_cipher_fail;
}

/* --- what all ciphers share --------------------------------------------------------------------------------------- */

static srtp_err_status_t make(srtp_cipher_t **out, const srtp_cipher_type_t *type, const EVP_CIPHER *evp, int key_len)
{
    struct cipher *cipher = mem_new(sizeof *cipher);

    cipher->face = (srtp_cipher_t){.type = type, .state = cipher, .key_len = key_len, .algorithm = (int)type->id};
    cipher->ctx = EVP_CIPHER_CTX_new();
    if (!cipher->ctx || !EVP_CipherInit_ex(cipher->ctx, evp, NULL, NULL, NULL, 1)) {
        EVP_CIPHER_CTX_free(cipher->ctx);
        free(cipher);
        return srtp_err_status_alloc_fail;
    }
    *out = &cipher->face;
    return srtp_err_status_ok;
}

static srtp_err_status_t cipher_free(srtp_cipher_t *face)
{
    struct cipher *cipher = face->state;

    EVP_CIPHER_CTX_free(cipher->ctx);
    explicit_bzero(cipher, sizeof *cipher);
    free(cipher);
    return srtp_err_status_ok;
}

/* --- AES-GCM ------------------------------------------------------------------------------------------------------ */

/* Behind the key stands the salt, which the library has worked into each iv already. */
static srtp_err_status_t gcm_key(void *state, const uint8_t *key)
{
    struct cipher *cipher = state;

    return judged(EVP_CipherInit_ex(cipher->ctx, NULL, NULL, key, NULL, -1));
}

static srtp_err_status_t gcm_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
    struct cipher *cipher = state;

    return judged(EVP_CipherInit_ex(cipher->ctx, NULL, NULL, NULL, iv, direction != srtp_direction_decrypt));
}

static srtp_err_status_t gcm_aad(void *state, const uint8_t *aad, uint32_t len)
{
    struct cipher *cipher = state;
    int n;

    return judged(EVP_CipherUpdate(cipher->ctx, NULL, &n, aad, (int)len));
}

static srtp_err_status_t gcm_encrypt(void *state, uint8_t *data, unsigned *len)
{
    struct cipher *cipher = state;
    int n;

    return judged((!*len || EVP_CipherUpdate(cipher->ctx, data, &n, data, (int)*len)) &&
                  EVP_CipherFinal_ex(cipher->ctx, data, &n));
}

static srtp_err_status_t gcm_tag(void *state, uint8_t *tag, uint32_t *len)
{
    struct cipher *cipher = state;

    *len = cipher->tag_len;
    return judged(EVP_CIPHER_CTX_ctrl(cipher->ctx, EVP_CTRL_AEAD_GET_TAG, (int)*len, tag) == 1);
}

/* The tag stands behind the data. */
static srtp_err_status_t gcm_decrypt(void *state, uint8_t *data, unsigned *len)
{
    struct cipher *cipher = state;
    int n;

    if (*len < cipher->tag_len)
        return srtp_err_status_bad_param;
    *len -= cipher->tag_len;
    if (EVP_CIPHER_CTX_ctrl(cipher->ctx, EVP_CTRL_AEAD_SET_TAG, (int)cipher->tag_len, data + *len) != 1 ||
        (*len && !EVP_CipherUpdate(cipher->ctx, data, &n, data, (int)*len)))
        return srtp_err_status_cipher_fail;
    return EVP_CipherFinal_ex(cipher->ctx, data, &n) ? srtp_err_status_ok : srtp_err_status_auth_fail;
}

/* RFC 7714 §16.1.1 and §16.2.1 */
#define GCM_KEY_16 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
#define GCM_KEY_32 GCM_KEY_16, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
#define GCM_SALT 0x51, 0x75, 0x69, 0x64, 0x20, 0x70, 0x72, 0x6f, 0x20, 0x71, 0x75, 0x6f
static const uint8_t gcm_test_iv[] = {0x51, 0x75, 0x3c, 0x65, 0x80, 0xc2, 0x72, 0x6f, 0x20, 0x71, 0x84, 0x14};
static const uint8_t gcm_test_aad[] = {0x80, 0x40, 0xf1, 0x7b, 0x80, 0x41, 0xf8, 0xd3, 0x55, 0x01, 0xa0, 0xb2};
static const uint8_t gcm_test_plain[38] = "Gallia est omnis divisa in partes tres";
static const uint8_t gcm_test_key_128[] = {GCM_KEY_16, GCM_SALT};
static const uint8_t gcm_test_128[] = {
    0xf2, 0x4d, 0xe3, 0xa3, 0xfb, 0x34, 0xde, 0x6c, 0xac, 0xba, 0x86, 0x1c, 0x9d, 0x7e, 0x4b, 0xca, 0xbe, 0x63,
    0x3b, 0xd5, 0x0d, 0x29, 0x4e, 0x6f, 0x42, 0xa5, 0xf4, 0x7a, 0x51, 0xc7, 0xd1, 0x9b, 0x36, 0xde, 0x3a, 0xdf,
    0x88, 0x33, 0x89, 0x9d, 0x7f, 0x27, 0xbe, 0xb1, 0x6a, 0x91, 0x52, 0xcf, 0x76, 0x5e, 0xe4, 0x39, 0x0c, 0xce};
static const uint8_t gcm_test_key_256[] = {GCM_KEY_32, GCM_SALT};
static const uint8_t gcm_test_256[] = {
    0x32, 0xb1, 0xde, 0x78, 0xa8, 0x22, 0xfe, 0x12, 0xef, 0x9f, 0x78, 0xfa, 0x33, 0x2e, 0x33, 0xaa, 0xb1, 0x80,
    0x12, 0x38, 0x9a, 0x58, 0xe2, 0xf3, 0xb5, 0x0b, 0x2a, 0x02, 0x76, 0xff, 0xae, 0x0f, 0x1b, 0xa6, 0x37, 0x99,
    0xb8, 0x7b, 0x7a, 0xa3, 0xdb, 0x36, 0xdf, 0xff, 0xd6, 0xb0, 0xf9, 0xbb, 0x78, 0x78, 0xd7, 0xa7, 0x6c, 0x13};

#define GCM_TEST(bits)                                                                                                 \
    {                                                                                                                  \
        .key_length_octets = sizeof gcm_test_key_##bits, .key = gcm_test_key_##bits,                                   \
        .idx = (uint8_t *)gcm_test_iv, /* only read */                                                                 \
            .plaintext_length_octets = sizeof gcm_test_plain, .plaintext = gcm_test_plain,                             \
        .ciphertext_length_octets = sizeof gcm_test_##bits, .ciphertext = gcm_test_##bits,                             \
        .aad_length_octets = sizeof gcm_test_aad, .aad = gcm_test_aad, .tag_length_octets = TAG                        \
    }

static const srtp_cipher_test_case_t gcm_case_128 = GCM_TEST(128), gcm_case_256 = GCM_TEST(256);

static srtp_err_status_t gcm_alloc(srtp_cipher_t **out, int key_len, int tag_len);

#define GCM_TYPE(bits)                                                                                                 \
    {                                                                                                                  \
        .alloc = gcm_alloc, .dealloc = cipher_free, .init = gcm_key, .set_aad = gcm_aad, .encrypt = gcm_encrypt,       \
        .decrypt = gcm_decrypt, .set_iv = gcm_iv, .get_tag = gcm_tag, .description = "AES-" #bits "-GCM by OpenSSL",   \
        .test_data = &gcm_case_##bits, .id = SRTP_AES_GCM_##bits                                                       \
    }

static const srtp_cipher_type_t gcm_128 = GCM_TYPE(128), gcm_256 = GCM_TYPE(256);

/* key_len counts the salt. Tags of 8 bytes are not for packets; the library's own test has one. */
static srtp_err_status_t gcm_alloc(srtp_cipher_t **out, int key_len, int tag_len)
{
    bool small = key_len == SRTP_AES_GCM_128_KEY_LEN_WSALT;
    srtp_err_status_t status;

    if ((!small && key_len != SRTP_AES_GCM_256_KEY_LEN_WSALT) || (tag_len != TAG && tag_len != TAG / 2))
        return srtp_err_status_bad_param;
    status = make(out, small ? &gcm_128 : &gcm_256, small ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), key_len);
    if (status == srtp_err_status_ok)
        ((struct cipher *)(*out)->state)->tag_len = (unsigned)tag_len;
    return status;
}

/* --- AES counter mode --------------------------------------------------------------------------------------------- */

static srtp_err_status_t counter_key(void *state, const uint8_t *key)
{
    struct cipher *cipher = state;

    memcpy(cipher->salt, key + cipher->face.key_len - SALT, SALT);
    return judged(EVP_CipherInit_ex(cipher->ctx, NULL, NULL, key, NULL, 1));
}

static srtp_err_status_t counter_iv(void *state, uint8_t *iv, srtp_cipher_direction_t direction)
{
    struct cipher *cipher = state;
    uint8_t block[BLOCK];

    for (int i = 0; i < BLOCK; i++)
        block[i] = cipher->salt[i] ^ iv[i];
    return judged(EVP_CipherInit_ex(cipher->ctx, NULL, NULL, NULL, block, 1));
}

static srtp_err_status_t counter_crypt(void *state, uint8_t *data, unsigned *len)
{
    struct cipher *cipher = state;
    int n;

    return judged(!*len || EVP_CipherUpdate(cipher->ctx, data, &n, data, (int)*len));
}

/* RFC 3711 B.2; RFC 6188 §7.1 */
#define COUNTER_SALT 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd
static const uint8_t counter_test_iv[BLOCK], counter_test_plain[32];
static const uint8_t counter_test_key_128[] = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,        0xab,
                                               0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c, COUNTER_SALT};
static const uint8_t counter_test_128[] = {0xe0, 0x3e, 0xad, 0x09, 0x35, 0xc9, 0x5e, 0x80, 0xe1, 0x66, 0xb1,
                                           0x6d, 0xd9, 0x2b, 0x4e, 0xb4, 0xd2, 0x35, 0x13, 0x16, 0x2b, 0x02,
                                           0xd0, 0xf7, 0x2a, 0x43, 0xa2, 0xfe, 0x4a, 0x5f, 0x97, 0xab};
static const uint8_t counter_test_key_256[] = {
    0x57, 0xf8, 0x2f, 0xe3, 0x61, 0x3f, 0xd1, 0x70, 0xa8, 0x5e, 0xc9, 0x3c, 0x40, 0xb1, 0xf0, 0x92,        0x2e,
    0xc4, 0xcb, 0x0d, 0xc0, 0x25, 0xb5, 0x82, 0x72, 0x14, 0x7c, 0xc4, 0x38, 0x94, 0x4a, 0x98, COUNTER_SALT};
static const uint8_t counter_test_256[] = {0x92, 0xbd, 0xd2, 0x8a, 0x93, 0xc3, 0xf5, 0x25, 0x11, 0xc6, 0x77,
                                           0xd0, 0x8b, 0x55, 0x15, 0xa4, 0x9d, 0xa7, 0x1b, 0x23, 0x78, 0xa8,
                                           0x54, 0xf6, 0x70, 0x50, 0x75, 0x6d, 0xed, 0x16, 0x5b, 0xac};

#define COUNTER_TEST(bits)                                                                                             \
    {                                                                                                                  \
        .key_length_octets = sizeof counter_test_key_##bits, .key = counter_test_key_##bits,                           \
        .idx = (uint8_t *)counter_test_iv, /* only read */                                                             \
            .plaintext_length_octets = sizeof counter_test_plain, .plaintext = counter_test_plain,                     \
        .ciphertext_length_octets = sizeof counter_test_##bits, .ciphertext = counter_test_##bits                      \
    }

static const srtp_cipher_test_case_t counter_case_128 = COUNTER_TEST(128), counter_case_256 = COUNTER_TEST(256);

static srtp_err_status_t counter_alloc(srtp_cipher_t **out, int key_len, int tag_len);

#define COUNTER_TYPE(bits)                                                                                             \
    {                                                                                                                  \
        .alloc = counter_alloc, .dealloc = cipher_free, .init = counter_key, .encrypt = counter_crypt,                 \
        .decrypt = counter_crypt, .set_iv = counter_iv, .description = "AES-" #bits " counter mode by OpenSSL",        \
        .test_data = &counter_case_##bits, .id = SRTP_AES_ICM_##bits                                                   \
    }

/* That with the long key makes the keys of AES-256-GCM. */
static const srtp_cipher_type_t counter_128 = COUNTER_TYPE(128), counter_256 = COUNTER_TYPE(256);

static srtp_err_status_t counter_alloc(srtp_cipher_t **out, int key_len, int tag_len)
{
    if (key_len == SRTP_AES_ICM_128_KEY_LEN_WSALT)
        return make(out, &counter_128, EVP_aes_128_ctr(), key_len);
    if (key_len == SRTP_AES_ICM_256_KEY_LEN_WSALT)
        return make(out, &counter_256, EVP_aes_256_ctr(), key_len);
    return srtp_err_status_bad_param;
}

/* --- HMAC-SHA1 (RFC 2104) ----------------------------------------------------------------------------------------- */

struct mac {
    srtp_auth_t face;
    SHA_CTX inner, outer; /* with the key in them */
    SHA_CTX now;
};

static srtp_err_status_t mac_free(srtp_auth_t *face)
{
    struct mac *mac = face->state;

    explicit_bzero(mac, sizeof *mac);
    free(mac);
    return srtp_err_status_ok;
}

static srtp_err_status_t mac_start(void *state)
{
    struct mac *mac = state;

    mac->now = mac->inner;
    return srtp_err_status_ok;
}

static srtp_err_status_t mac_key(void *state, const uint8_t *key, int len)
{
    struct mac *mac = state;
    uint8_t block[SHA_CBLOCK] = {0};

    if (len < 0 || len > SHA_DIGEST_LENGTH)
        return srtp_err_status_bad_param;
    memcpy(block, key, (size_t)len);
    for (int i = 0; i < SHA_CBLOCK; i++)
        block[i] ^= 0x36;
    SHA1_Init(&mac->inner);
    SHA1_Update(&mac->inner, block, sizeof block);
    for (int i = 0; i < SHA_CBLOCK; i++)
        block[i] ^= 0x36 ^ 0x5c;
    SHA1_Init(&mac->outer);
    SHA1_Update(&mac->outer, block, sizeof block);
    explicit_bzero(block, sizeof block);
    return mac_start(mac);
}

static srtp_err_status_t mac_add(void *state, const uint8_t *data, int len)
{
    struct mac *mac = state;

    SHA1_Update(&mac->now, data, (size_t)len);
    return srtp_err_status_ok;
}

static srtp_err_status_t mac_finish(void *state, const uint8_t *data, int len, int tag_len, uint8_t *tag)
{
    struct mac *mac = state;
    uint8_t digest[SHA_DIGEST_LENGTH];

    if (tag_len < 0 || tag_len > SHA_DIGEST_LENGTH)
        return srtp_err_status_bad_param;
    SHA1_Update(&mac->now, data, (size_t)len);
    SHA1_Final(digest, &mac->now);
    mac->now = mac->outer;
    SHA1_Update(&mac->now, digest, sizeof digest);
    SHA1_Final(digest, &mac->now);
    memcpy(tag, digest, (size_t)tag_len);
    return srtp_err_status_ok;
}

/* RFC 2202 §3, test case 1 */
static const uint8_t mac_test_key[SHA_DIGEST_LENGTH] = {0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b,
                                                        0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b, 0x0b};
static const uint8_t mac_test_data[8] = "Hi There";
static const uint8_t mac_test[SHA_DIGEST_LENGTH] = {0xb6, 0x17, 0x31, 0x86, 0x55, 0x05, 0x72, 0x64, 0xe2, 0x8b,
                                                    0xc0, 0xb6, 0xfb, 0x37, 0x8c, 0x8e, 0xf1, 0x46, 0xbe, 0x00};
static const srtp_auth_test_case_t mac_case = {.key_length_octets = sizeof mac_test_key,
                                               .key = mac_test_key,
                                               .data_length_octets = sizeof mac_test_data,
                                               .data = mac_test_data,
                                               .tag_length_octets = sizeof mac_test,
                                               .tag = mac_test};

static srtp_err_status_t mac_alloc(srtp_auth_t **out, int key_len, int tag_len);
static const srtp_auth_type_t mac_sha1 = {.alloc = mac_alloc,
                                          .dealloc = mac_free,
                                          .init = mac_key,
                                          .compute = mac_finish,
                                          .update = mac_add,
                                          .start = mac_start,
                                          .description = "HMAC-SHA1 by OpenSSL",
                                          .test_data = &mac_case,
                                          .id = SRTP_HMAC_SHA1};

static srtp_err_status_t mac_alloc(srtp_auth_t **out, int key_len, int tag_len)
{
    struct mac *mac;

    if (key_len > SHA_DIGEST_LENGTH || tag_len > SHA_DIGEST_LENGTH)
        return srtp_err_status_bad_param;
    mac = mem_new(sizeof *mac);
    mac->face = (srtp_auth_t){.type = &mac_sha1, .state = mac, .out_len = tag_len, .key_len = key_len};
    *out = &mac->face;
    return srtp_err_status_ok;
}

int secure_ciphers_install(void)
{
    static const srtp_cipher_type_t *const ciphers[] = {&gcm_128, &gcm_256, &counter_128, &counter_256};

    for (size_t i = 0; i < COUNT_OF(ciphers); i++)
        if (srtp_replace_cipher_type(ciphers[i], ciphers[i]->id) != srtp_err_status_ok)
            return -ENOTSUP;
    return srtp_replace_auth_type(&mac_sha1, mac_sha1.id) == srtp_err_status_ok ? 0 : -ENOTSUP;
}
