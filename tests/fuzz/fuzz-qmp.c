/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QMP bytes: framing, parsing and every command that has no effect outside the process.
 */
#include <string.h>

#include "monitor/internal.h"
#include "plan/json.h"
#include "system/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool harmless_line(const char *line)
{
    return g_str_has_prefix(line, "info") || g_str_has_prefix(line, "help") ||
           g_str_has_prefix(line, "xp") || g_str_has_prefix(line, "device_");
}

/* Commands that open files, start programs or end the run are excluded. */
static bool harmless(struct json_object *request)
{
    static const char *const names[] = { "qom-",         "device", "stop",   "cont",
                                         "system_reset", "qmp_",   "query-", "human" };
    struct json_object *name, *args, *line = NULL;
    const char *text;

    if (!json_object_is_type(request, json_type_object) ||
        (!json_object_object_get_ex(request, "execute", &name) &&
         !json_object_object_get_ex(request, "exec-oob", &name))) {
        return true;
    }
    text = json_object_get_string(name);
    if (!text) {
        return true;
    }
    if (g_str_has_prefix(text, "human") && json_object_object_get_ex(request, "arguments", &args) &&
        json_object_is_type(args, json_type_object) &&
        json_object_object_get_ex(args, "command-line", &line)) {
        return json_object_is_type(line, json_type_string) &&
               harmless_line(json_object_get_string(line));
    }
    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        if (g_str_has_prefix(text, names[i])) {
            return true;
        }
    }
    return !qmp_find(text);
}

static void answer(Monitor *mon, const char *text, size_t len)
{
    static const PlanJsonLimits limits = { FRAME_SIZE_MAX, FRAME_VALUES_MAX, FRAME_DEPTH_MAX };
    struct json_object *request = plan_json_read(text, len, "it", &limits, NULL), *response;

    if (harmless(request)) {
        response = qmp_answer(mon, request, 0, false);
        g_assert_true(json_object_object_get_ex(response, "return", NULL) !=
                      json_object_object_get_ex(response, "error", NULL));
        json_object_put(response);
    }
    json_object_put(request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const args[] = { "fuzz",
                                        "-M",
                                        "virt",
                                        "-accel",
                                        "qtest",
                                        "-m",
                                        "16",
                                        "-bios",
                                        "none",
                                        "-serial",
                                        "null",
                                        "-device",
                                        "pcie-root-port,id=rp",
                                        "-device",
                                        "ticker,id=t" };
    Session *s = session_new("fuzz");
    g_autoptr(GError) err = NULL;
    Monitor mon = { .control = true, .negotiated = true };
    const char *p = (const char *)data;
    size_t used;

    if (!session_prepare(s, G_N_ELEMENTS(args), (char **)args, &err) || !session_start(s, &err)) {
        g_error("%s", err->message);
    }
    mon.machine = s->m;
    framer_init(&mon.framer);
    for (; size > 0; p += used, size -= used) {
        FrameResult r = framer_feed(&mon.framer, p, size, &used);

        g_assert_true(r != FRAME_BAD || mon.framer.problem);
        if (r == FRAME_MESSAGE) {
            answer(&mon, mon.framer.text->str, mon.framer.text->len);
        }
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    framer_clear(&mon.framer);
    session_free(s);
    return 0;
}
