/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Displays: screendump.
 *
 * The pixels are copied on the main loop. A thread compresses them and writes the file, so that
 * monitors and the guest continue.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "ui/picture.h"
#include "util/error.h"
#include "util/outfile.h"

/* A file that is being written. Its thread owns the picture and sets `err`. */
typedef struct Screendump {
    MonitorSet *set;
    QmpDeferred *deferred;
    GThread *thread;
    Picture picture;
    PictureFormat format;
    char *path;
    GError *err;
    guint source; /* calls screendump_done() */
} Screendump;

static void screendump_free(Screendump *j)
{
    g_source_remove(j->source);
    g_clear_error(&j->err);
    picture_clear(&j->picture);
    g_free(j->path);
    g_free(j);
}

static void screendump_end(Screendump *j)
{
    g_thread_join(j->thread);
    g_ptr_array_remove_fast(j->set->screendumps, j);
    if (j->deferred) {
        struct json_object *result = j->err ? NULL : json_object_new_object();

        qmp_deferred_finish(j->deferred, result, g_steal_pointer(&j->err));
    }
    screendump_free(j);
}

static gboolean screendump_done(gpointer opaque)
{
    screendump_end(opaque);
    return G_SOURCE_CONTINUE; /* removed */
}

static gpointer screendump_write(gpointer opaque)
{
    Screendump *j = opaque;
    g_autofree uint8_t *file = NULL;
    GSource *source;
    size_t len;

    if (picture_encode(&j->picture, j->format, &file, &len, &j->err))
        out_file_write(j->path, file, len, &j->err);
    source = g_main_context_find_source_by_id(NULL, j->source);
    g_source_set_ready_time(source, 0);
    return NULL;
}

static gboolean screendump_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    return fn(opaque);
}

static GSourceFuncs screendump_source = { .dispatch = screendump_dispatch };

void monitor_screendump_free(Machine *m)
{
    GPtrArray *jobs = m->monitors->screendumps;

    while (jobs && jobs->len)
        screendump_end(g_ptr_array_index(jobs, 0));
    g_clear_pointer(&m->monitors->screendumps, g_ptr_array_unref);
}

static bool screendump_start(Machine *m, const Picture *picture, PictureFormat format,
                             const char *path, GError **err)
{
    g_autoptr(GError) why = NULL;
    Screendump *j = g_new0(Screendump, 1);
    GSource *source = g_source_new(&screendump_source, sizeof(GSource));

    j->set = monitor_set(m);
    j->picture = *picture;
    j->format = format;
    j->path = g_strdup(path);
    g_source_set_callback(source, screendump_done, j, NULL);
    j->source = g_source_attach(source, NULL);
    g_source_unref(source);
    j->thread = g_thread_try_new("screendump", screendump_write, j, &why);
    if (!j->thread) {
        screendump_free(j);
        return error_set(err, ERROR_HOST, "screendump: no thread: %s", why->message);
    }
    if (!j->set->screendumps)
        j->set->screendumps = g_ptr_array_new();
    g_ptr_array_add(j->set->screendumps, j);
    j->deferred = qmp_defer(m);
    return true;
}

bool qmp_screendump(Machine *m, const QmpScreendumpArgs *args, GError **err)
{
    PictureFormat format =
        args->has_format && args->format == QMP_IMAGE_FORMAT_PNG ? PICTURE_PNG : PICTURE_PPM;
    Picture picture;
    Display *d;

    if (args->has_head && (!args->device || args->head < 0 || args->head > UINT16_MAX)) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      args->device ? "screendump: head is a number from 0"
                                   : "'head' must be specified together with 'device'");
        return false;
    }
    d = display_find(m, args->device, args->has_head ? (unsigned)args->head : 0, err);
    if (!d || !picture_format_check(format, err) || !picture_capture(d, &picture, err))
        return false;
    return screendump_start(m, &picture, format, args->filename, err);
}

/* --- human monitor --- */

/* Parse "FILE [-f FORMAT] [DEVICE [HEAD]]". */
static bool screendump_parse(char **words, QmpScreendumpArgs *a, GString *out)
{
    guint64 head;

    a->filename = *words++;
    if (*words && strcmp(*words, "-f") == 0) {
        const char *format = words[1];

        a->has_format = true;
        a->format = g_strcmp0(format, "png") == 0 ? QMP_IMAGE_FORMAT_PNG : QMP_IMAGE_FORMAT_PPM;
        if (g_strcmp0(format, "png") != 0 && g_strcmp0(format, "ppm") != 0) {
            g_string_append_printf(out, "Error: screendump: format '%s': use ppm or png\n",
                                   format ? format : "");
            return false;
        }
        words += 2;
    }
    a->device = *words;
    if (!a->device || !words[1])
        return true;
    a->has_head = true;
    if (words[2] || !g_ascii_string_to_unsigned(words[1], 10, 0, UINT16_MAX, &head, NULL)) {
        g_string_append_printf(out, "Error: screendump: head '%s' is a number from 0\n",
                               words[2] ? words[2] : words[1]);
        return false;
    }
    a->head = (int64_t)head;
    return true;
}

static void hmp_screendump(Machine *m, const char *args, GString *out)
{
    g_auto(GStrv) words = g_strsplit(args, " ", -1);
    g_autoptr(GError) err = NULL;
    QmpScreendumpArgs a = { 0 };

    if (screendump_parse(words, &a, out) && !qmp_screendump(m, &a, &err))
        g_string_append_printf(out, "Error: %s\n", err->message);
}

static const HmpCommand hmp_commands[] = {
    { "screendump", "FILE [-f FORMAT] [DEVICE [HEAD]]", NULL, hmp_screendump },
};

const HmpTable display_table = { LIST(hmp_commands) };
