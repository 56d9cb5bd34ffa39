/* Text of any origin as JSON. Any thread; knows no telephony. */
#include "trace/json_text.h"

#include <stdlib.h>

json_t *json_text_n(const char *text, size_t len)
{
    json_t *json = json_stringn(text, len);
    char *copy;

    if (json)
        return json;
    copy = mem_new(len + 1);
    for (size_t i = 0; i < len; i++)
        copy[i] = text[i] ? text[i] : '?';
    str_clean_utf8(copy);
    json = json_string(copy);
    free(copy);
    return json ? json : json_null();
}

json_t *json_text(const char *text)
{
    return text ? json_text_n(text, strlen(text)) : json_null();
}

json_t *json_uuid(const struct uuid *id)
{
    char text[UUID_TEXT];

    uuid_text(id, text);
    return json_string(text);
}
