/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Input: send-key and input-send-event.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <inttypes.h>
#include <string.h>

#include "hw/core/display.h"
#include "hw/core/pointer.h"
#include "ui/keys.h"

enum { INPUT_MAX_EVENTS = 1024, INPUT_NO_KEY = 0 };

/* Return the code of a KeyValue, which is valid according to the schema: INPUT_NO_KEY for
 * "unmapped"; -1 with an error if the number is unknown. */
static int input_key(struct json_object *value, GError **err)
{
    struct json_object *data = json_object_object_get(value, "data");
    int code;

    if (json_object_is_type(data, json_type_string)) {
        const char *name = json_object_get_string(data);

        return strcmp(name, "unmapped") == 0 ? INPUT_NO_KEY : key_from_name(name);
    }
    code = key_from_number(json_object_get_int64(data));
    if (code < 0)
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "no key has the scan code %" PRIi64
                      "; use a code of an AT keyboard, or a name",
                      json_object_get_int64(data));
    return code;
}

static bool input_press(Machine *m, const uint16_t *codes, size_t n, int64_t hold, GError **err)
{
    if (hold < 1 || hold > KEYS_MAX_HOLD_MS) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "hold time %" PRIi64 ": 1 to %d milliseconds are accepted", hold,
                      KEYS_MAX_HOLD_MS);
        return false;
    }
    return keys_press(m, codes, n, (unsigned)hold, err);
}

bool qmp_send_key(Machine *m, const QmpSendKeyArgs *args, GError **err)
{
    size_t n = json_object_array_length(args->keys), used = 0;
    uint16_t codes[KEYS_MAX_CHORD];

    if (n > KEYS_MAX_CHORD) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "send-key: %zu keys; at most %d are accepted", n,
                      KEYS_MAX_CHORD);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int code = input_key(json_object_array_get_idx(args->keys, i), err);

        if (code < 0)
            return false;
        if (code != INPUT_NO_KEY)
            codes[used++] = (uint16_t)code;
    }
    return input_press(m, codes, used, args->has_hold_time ? args->hold_time : KEYS_DEFAULT_HOLD_MS,
                       err);
}

/* Check that the machine has the device of a type of event, and that the guest runs. */
static bool input_device_ready(const Machine *m, const char *type, GError **err)
{
    bool absolute = strcmp(type, "abs") == 0, relative = strcmp(type, "rel") == 0;

    if (strcmp(type, "key") == 0)
        return keyboard_ready(m, err);
    if ((absolute || !pointer_exists(m, false)) && (relative || !pointer_exists(m, true))) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "input-send-event: the machine has no pointing device for an event of type "
                      "'%s'; use -device %s to add one",
                      type, relative ? "usb-mouse" : "usb-tablet");
        return false;
    }
    if (!machine_active(m)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "input-send-event: the guest does not run (state %s); use cont first",
                      run_state_name(m->state));
        return false;
    }
    return true;
}

/* Report or check an event of a button or of the wheel. */
static bool input_button(Machine *m, struct json_object *data, bool check, GError **err)
{
    static const struct {
        const char *name;
        int button, wheel;
    } rows[] = {
        { "left", POINTER_LEFT, 0 }, { "middle", POINTER_MIDDLE, 0 }, { "right", POINTER_RIGHT, 0 },
        { "side", POINTER_SIDE, 0 }, { "extra", POINTER_EXTRA, 0 },   { "wheel-up", 0, 1 },
        { "wheel-down", 0, -1 },
    };
    const char *name = json_object_get_string(json_object_object_get(data, "button"));
    bool down = json_object_get_boolean(json_object_object_get(data, "down"));

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        if (!check && !rows[i].wheel)
            pointer_button(m, rows[i].button, down);
        if (!check && rows[i].wheel && down)
            pointer_wheel(m, rows[i].wheel);
        return true;
    }
    qmp_set_error(err, QMP_GENERIC_ERROR, "input-send-event: no device has the wheel of '%s'",
                  name);
    return false;
}

/* Report or check a position or a movement. */
static bool input_move(Machine *m, struct json_object *data, bool absolute, bool check,
                       GError **err)
{
    const char *axis = json_object_get_string(json_object_object_get(data, "axis"));
    int64_t value = json_object_get_int64(json_object_object_get(data, "value"));

    if (absolute && (value < 0 || value > POINTER_MAX)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "input-send-event: position %" PRIi64 ": 0 to %d are accepted", value,
                      POINTER_MAX);
        return false;
    }
    if (!check)
        pointer_move(m, absolute, strcmp(axis, "x") == 0 ? POINTER_X : POINTER_Y,
                     (int32_t)CLAMP(value, -POINTER_MAX, POINTER_MAX));
    return true;
}

/* Report an event, or only check it. */
static bool input_event(Machine *m, struct json_object *event, bool check, GError **err)
{
    const char *type = json_object_get_string(json_object_object_get(event, "type"));
    struct json_object *data = json_object_object_get(event, "data");
    int code;

    if (check && !input_device_ready(m, type, err))
        return false;
    if (strcmp(type, "btn") == 0)
        return input_button(m, data, check, err);
    if (strcmp(type, "key") != 0)
        return input_move(m, data, strcmp(type, "abs") == 0, check, err);
    code = input_key(json_object_object_get(data, "key"), err);
    if (!check && code > INPUT_NO_KEY)
        keyboard_report(m, (uint16_t)code,
                        json_object_get_boolean(json_object_object_get(data, "down")));
    return code >= 0;
}

bool qmp_input_send_event(Machine *m, const QmpInputSendEventArgs *args, GError **err)
{
    size_t n = json_object_array_length(args->events);
    int64_t head = args->has_head ? args->head : 0;

    if (args->device && !display_find(m, args->device, (unsigned)CLAMP(head, 0, G_MAXUINT16), err))
        return false;
    if (n > INPUT_MAX_EVENTS) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "input-send-event: %zu events; at most %d are accepted", n, INPUT_MAX_EVENTS);
        return false;
    }
    for (size_t i = 0; i < 2 * n; i++) { /* check all, then report */
        if (!input_event(m, json_object_array_get_idx(args->events, i % n), i < n, err))
            return false;
    }
    pointer_sync(m);
    return true;
}

/* --- human monitor --- */

/* Return the code of a key of sendkey: a name, or a number as "0x1e"; -1: unknown. */
static int input_hmp_key(const char *word)
{
    char *end;
    gint64 number = g_ascii_strtoll(word, &end, 16);

    if (g_str_has_prefix(word, "0x") && end > word + 2 && !*end)
        return key_from_number(number);
    return key_from_name(strcmp(word, "<") == 0 ? "less" : word);
}

static bool input_sendkey(Machine *m, char **words, GError **err)
{
    g_auto(GStrv) names = g_strsplit(words[0], "-", -1);
    guint64 hold = KEYS_DEFAULT_HOLD_MS;
    uint16_t codes[KEYS_MAX_CHORD];
    size_t n = g_strv_length(names);

    if (n > KEYS_MAX_CHORD) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "sendkey: %zu keys; at most %d are accepted", n,
                      KEYS_MAX_CHORD);
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        int code = input_hmp_key(names[i]);

        if (code < 0) {
            qmp_set_error(
                err, QMP_GENERIC_ERROR,
                "sendkey: key '%s' is unknown; use names such as ctrl-alt-f1, or scan codes "
                "such as 0x1e",
                names[i]);
            return false;
        }
        codes[i] = (uint16_t)code;
    }
    if (words[1] && !g_ascii_string_to_unsigned(words[1], 10, 1, KEYS_MAX_HOLD_MS, &hold, NULL)) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "sendkey: hold time '%s': 1 to %d milliseconds",
                      words[1], KEYS_MAX_HOLD_MS);
        return false;
    }
    return input_press(m, codes, n, (int64_t)hold, err);
}

static void hmp_sendkey(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", 2);
    g_autoptr(GError) err = NULL;

    if (!input_sendkey(m, words, &err))
        g_string_append_printf(out, "Error: %s\n", err->message);
}

static const HmpCommand hmp_commands[] = {
    { "sendkey", "KEYS [HOLD-MS]", NULL, hmp_sendkey },
};

const HmpTable input_table = { LIST(hmp_commands) };
