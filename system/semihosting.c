/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -semihosting and -semihosting-config: calls of a guest program to the host.
 */
#include <string.h>

#include "debug/semihost.h"
#include "options_internal.h"

bool opt_semihosting(Session *s, const char *arg, GError **err)
{
    s->semihosting = true;
    return true;
}

/* Append the value of arg=, a string or a list of strings, to the arguments. */
static bool semihosting_add_args(Session *s, struct json_object *value, GError **err)
{
    bool list = json_object_is_type(value, json_type_array);

    for (size_t i = 0; i < (list ? json_object_array_length(value) : 1); i++) {
        struct json_object *one = list ? json_object_array_get_idx(value, i) : value;

        if (!json_object_is_type(one, json_type_string)) {
            return error_set(err, ERROR_USER,
                             "-semihosting-config: arg must be a string or a list of strings");
        }
        g_ptr_array_add(s->semihosting_args, g_strdup(json_object_get_string(one)));
    }
    return true;
}

bool opt_semihosting_config(Session *s, const char *arg, GError **err)
{
    const char *target = s->semihosting_target;
    struct json_object *values = plan_options_parse(arg, "enable", err), *args;
    bool ok = values != NULL;

    if (ok && target && strcmp(target, "native") != 0 && strcmp(target, "auto") != 0) {
        ok = error_set(err, ERROR_USER,
                       "-semihosting-config target=%s: calls are carried out by this program; "
                       "use target=native or target=auto",
                       target);
    }
    s->semihosting_args =
        s->semihosting_args ? s->semihosting_args : g_ptr_array_new_with_free_func(g_free);
    if (ok && json_object_object_get_ex(values, "arg", &args)) {
        ok = semihosting_add_args(s, args, err);
    }
    s->semihosting = s->semihosting_enable;
    json_object_put(values);
    return ok;
}

/* The arguments of -semihosting-config, otherwise the kernel and its command line. */
static char *semihosting_cmdline(const Session *s)
{
    if (s->semihosting_args && s->semihosting_args->len) {
        g_ptr_array_add(s->semihosting_args, NULL);
        char *text = g_strjoinv(" ", (char **)s->semihosting_args->pdata);
        g_ptr_array_remove_index(s->semihosting_args, s->semihosting_args->len - 1);
        return text;
    }
    return g_strjoin(s->append ? " " : "", s->kernel ? s->kernel : "", s->append ? s->append : "",
                     NULL);
}

bool session_semihosting_open(Session *s, GError **err)
{
    g_autofree char *cmdline = NULL;
    SemihostConfig config = { .userspace = s->semihosting_userspace,
                              .folder = s->semihosting_folder };

    if (!s->semihosting) {
        return true;
    }
    if (s->semihosting_chardev) {
        config.console = chardev_find(s->m, s->semihosting_chardev);
        if (!config.console) {
            return error_set(err, ERROR_USER,
                             "-semihosting-config chardev=%s: there is no -chardev with this id",
                             s->semihosting_chardev);
        }
    }
    if (s->m->dry_run) {
        return true;
    }
    cmdline = semihosting_cmdline(s);
    config.cmdline = cmdline;
    s->semihost = semihost_new(s->m, &config, err);
    return s->semihost != NULL;
}

void session_semihosting_start(Session *s)
{
    if (s->semihost) {
        semihost_start(s->semihost);
    }
}

const PlanProp semihosting_keys[] = {
    { .name = "enable",
      .kind = PLAN_PROP_BOOL,
      .field = offsetof(Session, semihosting_enable),
      .def = 1,
      .doc = "accept semihosting calls" },
    { .name = "target",
      .kind = PLAN_PROP_STRING,
      .field = offsetof(Session, semihosting_target),
      .doc = "native or auto: this program carries out the calls" },
    { .name = "userspace",
      .kind = PLAN_PROP_BOOL,
      .field = offsetof(Session, semihosting_userspace),
      .doc = "accept calls in user mode, too" },
    { .name = "chardev",
      .kind = PLAN_PROP_STRING,
      .field = offsetof(Session, semihosting_chardev),
      .doc = "console of the calls; default: standard input, output and error" },
    { .name = "folder",
      .kind = PLAN_PROP_STRING,
      .field = offsetof(Session, semihosting_folder),
      .doc = "the guest can access files below it; default: it can open no file" },
    { .name = "arg",
      .kind = PLAN_PROP_STRING,
      .doc =
          "an argument for the guest; may be repeated; default: the kernel and its command line" },
};
const size_t n_semihosting_keys = G_N_ELEMENTS(semihosting_keys);
