/* Variables of a call, in a JSON object that keeps their order. Signalling thread. Knows no Lua. */
#include "call/vars.h"

#include <stdlib.h>

#include "call/call.h"

static bool is_name(const char *name)
{
    size_t len = strlen(name);

    return len && len <= CALL_VAR_NAME_MAX && !(name[0] >= '0' && name[0] <= '9') &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == len;
}

static bool is_value(const json_t *value)
{
    if (json_is_string(value))
        return json_string_length(value) <= CALL_VAR_TEXT_MAX &&
               strlen(json_string_value(value)) == json_string_length(value);
    return json_is_number(value) || json_is_boolean(value);
}

int call_var_set(struct call *call, const char *name, json_t *value)
{
    int result = 0;

    if (!is_name(name)) {
        result = -EINVAL;
    } else if (!value || json_is_null(value)) {
        json_object_del(call->vars, name);
    } else if (!is_value(value)) {
        result = -ERANGE;
    } else if (!json_object_get(call->vars, name) && json_object_size(call->vars) >= CALL_VARS_MAX) {
        result = -ENOSPC;
    } else {
        if (!call->vars)
            call->vars = json_object();
        return json_object_set_new(call->vars, name, value) < 0 ? -ERANGE : 0;
    }
    json_decref(value);
    return result;
}

json_t *call_var_get(const struct call *call, const char *name)
{
    return json_object_get(call->vars, name);
}

const char *call_vars_text(const struct call *call, char *out, size_t size)
{
    json_t *fitting = json_object(), *value;
    size_t used = 2; /* {} */
    const char *name;
    char *text;

    out[0] = '\0';
    json_object_foreach(call->vars, name, value)
    {
        char *part = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        size_t len = part ? strlen(part) + strlen(name) + 4 : 0; /* "":, */

        if (part && used + len < size) {
            json_object_set(fitting, name, value);
            used += len;
        }
        free(part);
    }
    text = json_object_size(fitting) ? json_dumps(fitting, JSON_COMPACT) : NULL;
    str_copy(out, size, text);
    free(text);
    json_decref(fitting);
    return out;
}
