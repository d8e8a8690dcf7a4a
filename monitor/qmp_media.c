/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about removable media.
 */
#include "internal.h"
#include "qmp-commands.h"

#include <string.h>

#include "block/media.h"

static bool media_eject(BlockMedia *mm, bool force, GError **err)
{
    return mm && block_media_open(mm, force, err) && block_media_remove(mm, err);
}

bool qmp_eject(Machine *m, const QmpEjectArgs *args, GError **err)
{
    return media_eject(block_media_find(m, args->device, args->id, err), args->force, err);
}

bool qmp_blockdev_open_tray(Machine *m, const QmpBlockdevOpenTrayArgs *args, GError **err)
{
    BlockMedia *mm = block_media_find(m, args->device, args->id, err);

    return mm && block_media_open(mm, args->force, err);
}

bool qmp_blockdev_close_tray(Machine *m, const QmpBlockdevCloseTrayArgs *args, GError **err)
{
    BlockMedia *mm = block_media_find(m, args->device, args->id, err);

    if (mm) {
        block_media_move_tray(mm, false);
    }
    return mm != NULL;
}

bool qmp_blockdev_remove_medium(Machine *m, const QmpBlockdevRemoveMediumArgs *args, GError **err)
{
    BlockMedia *mm = block_media_find(m, NULL, args->id, err);

    return mm && block_media_remove(mm, err);
}

bool qmp_blockdev_insert_medium(Machine *m, const QmpBlockdevInsertMediumArgs *args, GError **err)
{
    BlockMedia *mm = block_media_find(m, NULL, args->id, err);
    BlockNode *n = mm ? block_find(m, args->node_name) : NULL;

    if (mm && !n) {
        qmp_set_error(err, QMP_GENERIC_ERROR, "Node '%s' not found", args->node_name);
    }
    return n && block_media_insert(mm, n, err);
}

bool qmp_blockdev_change_medium(Machine *m, const QmpBlockdevChangeMediumArgs *args, GError **err)
{
    BlockMedia *mm = block_media_find(m, args->device, args->id, err);

    if (mm && args->has_read_only_mode &&
        args->read_only_mode == QMP_BLOCKDEV_CHANGE_READ_ONLY_MODE_READ_WRITE) {
        qmp_set_error(err, QMP_GENERIC_ERROR,
                      "read-only-mode=read-write: the medium of a CD-ROM drive is read-only; use "
                      "read-only or retain");
        return false;
    }
    return mm && block_media_change(mm, args->filename, args->format, args->force, err);
}

/* Find a device by the id of its drive or by its own id. */
static BlockMedia *media_named(Machine *m, const char *name, GError **err)
{
    BlockMedia *mm = name ? block_media_find(m, name, NULL, NULL) : NULL;

    return mm ? mm : block_media_find(m, NULL, name, err);
}

/* Arguments: [-f] NAME. Return the words behind -f, for g_strfreev(). */
static char **media_words(const char *args, bool *force, int max)
{
    *force = g_str_has_prefix(args, "-f ");
    return g_strsplit(args + (*force ? strspn(args + 2, " ") + 2 : 0), " ", max);
}

static void hmp_eject(Machine *m, const char *args, GString *out)
{
    bool force;
    g_auto(GStrv) words = media_words(args, &force, 2);
    g_autoptr(GError) err = NULL;

    if (!words[0] || words[1]) {
        g_string_append(out, "Error: use eject [-f] DEVICE\n");
    } else if (!media_eject(media_named(m, words[0], &err), force, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static void hmp_change(Machine *m, const char *args, GString *out)
{
    bool force;
    g_auto(GStrv) words = media_words(args, &force, 3);
    g_autoptr(GError) err = NULL;
    BlockMedia *mm;

    if (!words[0] || !words[1]) {
        g_string_append(out, "Error: use change [-f] DEVICE FILE [FORMAT]\n");
        return;
    }
    mm = media_named(m, words[0], &err);
    if (!mm || !block_media_change(mm, words[1], words[2], force, &err)) {
        g_string_append_printf(out, "Error: %s\n", err->message);
    }
}

static const HmpCommand hmp_commands[] = {
    { "eject", "[-f] DEVICE", NULL, hmp_eject },
    { "change", "[-f] DEVICE FILE [FORMAT]", NULL, hmp_change },
};

const HmpTable media_table = { LIST(hmp_commands) };
