/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices with removable media (contract in block/media.h), and drives without a medium.
 *
 * A drive without an image is a node of the driver `block_empty`, which holds the name of the
 * drive.
 */
#include "block/media.h"

#include <errno.h>
#include <string.h>

#include "internal.h"
#include "machine-events.h"

/* --- drives without a medium --- */

static bool media_empty_open(BlockNode *n, struct json_object *o, GError **err)
{
    return true;
}

static void media_empty_close(BlockNode *n)
{
}

static void media_empty_submit(BlockNode *n, BlockRequest *req)
{
    block_complete_any(req, -ENOMEDIUM);
}

static bool media_empty_resize(BlockNode *n, uint64_t size, GError **err)
{
    return error_set(err, ERROR_USER, "drive '%s' has no medium", n->drive ? n->drive : n->name);
}

static const char *media_empty_filename(const BlockNode *n)
{
    return "";
}

static const char *const media_empty_keys[] = { NODE_KEYS, NULL };
const BlockDriver block_empty = { .name = "empty",
                                  .keys = media_empty_keys,
                                  .open = media_empty_open,
                                  .close = media_empty_close,
                                  .submit = media_empty_submit,
                                  .resize = media_empty_resize,
                                  .filename = media_empty_filename };

/* --- devices --- */

/* The I/O limits of a device remain when its medium changes, unless the new one has its own. */
static void media_give_limits(BlockMedia *mm, BlockNode *n)
{
    if (mm->limits && n->limits) {
        throttle_leave(mm->limits);
    } else if (mm->limits) {
        throttle_move(mm->limits, n);
        n->limits = mm->limits;
    }
    mm->limits = NULL;
}

static bool media_attach(BlockMedia *mm, BlockNode *n, GError **err)
{
    if (!block_attach(n, &mm->user, device_name(mm->device), err)) {
        return false;
    }
    mm->node = n;
    media_give_limits(mm, n);
    return true;
}

bool block_media_add(BlockMedia *mm, const char *drive, GError **err)
{
    Machine *m = mm->device->machine;
    BlockNode *n = drive ? block_find(m, drive) : NULL;

    if (drive && !n) {
        return error_set(err, ERROR_USER, "%s: there is no drive or block node named '%s'",
                         device_name(mm->device), drive);
    }
    mm->user.removable = true;
    if (n && n->drv != &block_empty && !media_attach(mm, n, err)) {
        return false;
    }
    mm->drive = n && n->drive ? g_strdup(n->drive) : NULL;
    g_ptr_array_add(block_set(m)->media, mm);
    return true;
}

void block_media_del(BlockMedia *mm)
{
    g_ptr_array_remove(block_set(mm->device->machine)->media, mm);
    if (mm->node) {
        block_detach(mm->node, &mm->user);
        mm->node = NULL;
    }
    g_clear_pointer(&mm->limits, throttle_leave);
    g_clear_pointer(&mm->drive, g_free);
}

BlockMedia *block_media_of_drive(BlockSet *set, const char *drive)
{
    for (unsigned i = 0; drive && i < set->media->len; i++) {
        BlockMedia *mm = set->media->pdata[i];

        if (g_strcmp0(mm->drive, drive) == 0) {
            return mm;
        }
    }
    return NULL;
}

BlockMedia *block_media_find(Machine *m, const char *device, const char *id, GError **err)
{
    BlockSet *set = block_set(m);
    BlockMedia *mm = block_media_of_drive(set, device);
    const Device *dev = id ? device_find_id(m, id) : NULL;

    dev = id && !dev ? device_find_path(m, id) : dev;
    for (unsigned i = 0; dev && i < set->media->len; i++) {
        BlockMedia *other = set->media->pdata[i];

        mm = other->device == dev ? other : mm;
    }
    if (!mm && !device && !id) {
        error_set(err, ERROR_USER, "one of the arguments 'device' and 'id' is required");
    } else if (!mm && (dev || block_find(m, id ? id : device))) {
        error_set(err, ERROR_USER, "Device '%s' is not removable", id ? id : device);
    } else if (!mm) {
        error_set(err, ERROR_USER, "Device '%s' not found", id ? id : device);
    }
    return mm;
}

/* --- trays --- */

static const char *media_name(const BlockMedia *mm)
{
    return mm->drive ? mm->drive : device_name(mm->device);
}

void block_media_move_tray(BlockMedia *mm, bool open)
{
    if (mm->tray_open == open) {
        return;
    }
    mm->tray_open = open;
    mm->moved(mm->device);
    event_device_tray_moved(mm->device->machine, mm->drive ? mm->drive : "",
                            device_id_or_path(mm->device), open);
}

bool block_media_open(BlockMedia *mm, bool force, GError **err)
{
    if (!mm->tray_open && mm->locked) {
        mm->eject_request(mm->device);
        if (!force) {
            return error_set(err, ERROR_USER,
                             "Device '%s' is locked and force was not specified, wait for tray to "
                             "open and try again",
                             media_name(mm));
        }
    }
    block_media_move_tray(mm, true);
    return true;
}

/* --- media --- */

static bool media_tray_is_open(const BlockMedia *mm, GError **err)
{
    return mm->tray_open ||
           error_set(err, ERROR_USER, "Tray of device '%s' is not open", media_name(mm));
}

/* Close the node of a -drive. The device keeps the name of the drive. */
static void media_release_drive(BlockNode *n)
{
    BlockEdge *e = n->drive_ref;

    n->drive_ref = NULL;
    g_clear_pointer(&n->drive, g_free);
    edge_free(e);
}

bool block_media_remove(BlockMedia *mm, GError **err)
{
    BlockNode *n = mm->node;
    bool own;

    if (!media_tray_is_open(mm, err)) {
        return false;
    }
    if (n) {
        own = n->drive != NULL;
        mm->node = NULL;
        block_drain(n); /* no request waits for the limits */
        mm->limits = g_steal_pointer(&n->limits);
        block_detach(n, &mm->user);
        if (own) {
            media_release_drive(n);
        }
    }
    return true;
}

bool block_media_insert(BlockMedia *mm, BlockNode *n, GError **err)
{
    if (!media_tray_is_open(mm, err)) {
        return false;
    }
    if (mm->node) {
        return error_set(err, ERROR_USER, "There already is a medium in device '%s'",
                         media_name(mm));
    }
    return media_attach(mm, n, err);
}

bool block_media_change(BlockMedia *mm, const char *filename, const char *format, bool force,
                        GError **err)
{
    BlockNode *n = drive_medium_new(mm->device->machine, filename, format, err);

    if (!n) {
        return false;
    }
    if (!block_media_open(mm, force, err)) {
        node_unref(n);
        return false;
    }
    block_media_remove(mm, NULL);
    if (!media_attach(mm, n, err)) {
        node_unref(n);
        return false;
    }
    block_media_move_tray(mm, false);
    return true;
}
