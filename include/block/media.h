/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices with removable media: their tray, and the node that is the medium.
 *
 * A device embeds a BlockMedia, registers it, and uses `node` while the tray is closed. Guest and
 * monitors open and close the tray; monitors remove and insert the medium while the tray is open.
 * The node of a -drive is closed when its medium is removed; a node that the user named remains.
 *
 * Locking: the machine lock for every function.
 */
#ifndef BLOCK_MEDIA_H
#define BLOCK_MEDIA_H

#include "block/block.h"
#include "hw/core/device.h"

struct ThrottleMember;
typedef struct BlockMedia {
    Device *device;
    /* The tray moved: tray_open and node are those afterwards. */
    void (*moved)(Device *device);
    /* A monitor asks the guest to unlock and eject the medium. */
    void (*eject_request)(Device *device);
    BlockUser user;                /* set by the device; `removable` is set by block_media_add() */
    char *drive;                   /* id of its -drive, or NULL; owned by this structure */
    BlockNode *node;               /* the medium; NULL: none. Open the tray before it changes */
    struct ThrottleMember *limits; /* I/O limits for the next medium; NULL: none. Private */
    bool tray_open, locked;        /* saved by the device */
} BlockMedia;

/**
 * block_media_add() - Register a device, and attach its medium.
 * @drive: the drive or node that the device names; NULL: no medium
 * @err:   names the device and the drive
 *
 * block_media_del() undoes it.
 *
 * Return: false if there is no such node, or on a conflict of permissions.
 */
bool block_media_add(BlockMedia *mm, const char *drive, GError **err);
void block_media_del(BlockMedia *mm);

/**
 * block_media_find() - Find a device with removable media.
 * @device: id of the -drive, or NULL
 * @id:     id or path of the device, or NULL
 *
 * Return: NULL with @err set if there is no such device, or if its media cannot be removed.
 */
BlockMedia *block_media_find(Machine *m, const char *device, const char *id, GError **err);

/** block_media_move_tray() - Open or close the tray for the guest. Emits DEVICE_TRAY_MOVED. */
void block_media_move_tray(BlockMedia *mm, bool open);

/**
 * block_media_open() - Open the tray for a monitor.
 * @force: also if the guest has locked it
 *
 * Return: false if the guest has locked the tray; the guest was asked to unlock it.
 */
bool block_media_open(BlockMedia *mm, bool force, GError **err);

/** block_media_remove() - Remove the medium. False if the tray is closed. No effect without a
 * medium.
 */
bool block_media_remove(BlockMedia *mm, GError **err);

/** block_media_insert() - Insert a node. False if the tray is closed, there is a medium, or the
 * permissions conflict; nothing is changed then. */
bool block_media_insert(BlockMedia *mm, BlockNode *n, GError **err);

/**
 * block_media_change() - Replace the medium by an image, and close the tray.
 * @filename: as file= of -drive
 * @format:   NULL: probe it
 *
 * Return: false, with the medium unchanged, if the image cannot be opened or the tray is locked;
 * and false, without a medium and with the tray open, if the permissions of the image conflict.
 */
bool block_media_change(BlockMedia *mm, const char *filename, const char *format, bool force,
                        GError **err);

#endif
