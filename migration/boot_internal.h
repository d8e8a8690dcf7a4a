/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Boot images in a stream: FULL sections "backplane/boot" between the description and RAM, each
 * with a piece of one image: u8 role, u64 offset, bytes. The pieces of an image are in order.
 * Machine lock.
 */
#ifndef MIGRATION_BOOT_H
#define MIGRATION_BOOT_H

#include <json-c/json.h>

#include "hw/core/boot_image.h"
#include "migration/stream.h"
#include "plan/description.h"

#define BOOT_SECTION         "backplane/boot"
#define BOOT_SECTION_VERSION 1
#define BOOT_MAX_SIZE        (1ull << 30) /* of an image in a stream: the target must have larger ones */

/* --- sending --- */
typedef struct BootSend {
    const BootImages *images; /* borrowed; NULL: there are none */
    unsigned roles;           /* bit n: role n is to be sent */
    uint64_t at;              /* of the first role left */
    uint32_t instance;
} BootSend;

/* Append a section with the next piece. devices: its description is added, unless NULL. 1: there
 * may be more; 0: nothing was left; -1: the image cannot be read. */
int boot_send_some(BootSend *s, ByteWriter *w, uint32_t *next_id, struct json_object *devices,
                   GError **err);

/* --- receiving --- */
typedef struct BootReceive BootReceive;
/* For the images of a stream's description, which states the size and SHA-256 of each. An equal
 * image of `own` (this process's; may be NULL) is used, and need not be sent. wanted must live as
 * long. NULL and a sentence if the host has no memory. */
BootReceive *boot_receive_new(const PlanMachine *wanted, BootImages *own, bool two_way,
                              GError **err);
void boot_receive_free(BootReceive *r); /* NULL is allowed */
/* Roles that must be sent, as bits. */
unsigned boot_receive_needed(const BootReceive *r);
/* One section. */
bool boot_receive_piece(BootReceive *r, const StreamSection *s, const uint8_t *data, size_t len,
                        GError **err);
/* All images, now the caller's; NULL and a sentence if one is not complete. Once. */
BootImages *boot_receive_finish(BootReceive *r, GError **err);

/* Has `own` the image that the description states? Computes its SHA-256 if the sizes are equal. */
bool boot_image_matches(BootImages *own, BootRole role, const PlanBootImage *wanted);

#endif
