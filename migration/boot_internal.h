/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images in a stream: FULL sections "backplane/boot" between the description and RAM. Each
 * contains a piece of one image: u8 role, u64 offset, bytes. The pieces of an image are in order.
 *
 * All functions require the machine lock.
 */
#ifndef MIGRATION_BOOT_H
#define MIGRATION_BOOT_H

#include <json-c/json.h>

#include "hw/core/boot_image.h"
#include "migration/stream.h"
#include "plan/description.h"

#define BOOT_SECTION         "backplane/boot"
#define BOOT_SECTION_VERSION 1
#define BOOT_MAX_SIZE        (1ull << 30) /* bytes; larger images are not sent */

/* --- sending --- */
typedef struct BootSend {
    const BootImages *images; /* borrowed; NULL: there are none */
    unsigned roles;           /* bit n: role n has not been sent completely */
    uint64_t at;              /* bytes sent of the lowest role in `roles` */
    uint32_t instance;
} BootSend;

/* Append a section with the next piece, and increment *next_id. Unless `devices` is NULL, the
 * description of the section is added to it. Returns 1: there may be more; 0: everything was sent
 * before, nothing was appended; -1: the image cannot be read, *err is set. */
int boot_send_some(BootSend *s, ByteWriter *w, uint32_t *next_id, struct json_object *devices,
                   GError **err);

/* --- receiving --- */
typedef struct BootReceive BootReceive;
/* Begin to receive the images of the description `wanted`, which states the size and SHA-256 of
 * each. If the channel is two-way, an image of `own` (the images of this process; may be NULL) that
 * is identical is used and need not be sent. `wanted` and `own` are borrowed until
 * boot_receive_free(). Returns NULL with *err set if the host has no memory. */
BootReceive *boot_receive_new(const PlanMachine *wanted, BootImages *own, bool two_way,
                              GError **err);
void boot_receive_free(BootReceive *r); /* NULL is allowed */
/* Return the roles that must be sent, as bits. */
unsigned boot_receive_needed(const BootReceive *r);
/* Store the piece in one section. Returns false with *err set if the piece is malformed, was not
 * requested, is not the next one of its image, or completes an image whose SHA-256 is wrong. */
bool boot_receive_piece(BootReceive *r, const StreamSection *s, const uint8_t *data, size_t len,
                        GError **err);
/* Return all images, which the caller owns; NULL with *err set if an image is incomplete. Call it
 * at most once. */
BootImages *boot_receive_finish(BootReceive *r, GError **err);

/* Return true if `own` (may be NULL) contains the image that the description states. Computes the
 * SHA-256 if the sizes are equal. */
bool boot_image_matches(BootImages *own, BootRole role, const PlanBootImage *wanted);

#endif
