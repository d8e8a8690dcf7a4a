/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over record: a file that states which side owns a guest, in a folder that both ends can
 * access.
 *
 * A channel that fails does not show the source whether the target received GO. A file resolves
 * this: its name states the owner of the guest, and of two processes that rename it only one can
 * succeed.
 *
 *   TOKEN.offered   a migration is in progress; the source owns the guest
 *   TOKEN.given     the guest is handed over; neither side runs it before claiming it
 *   TOKEN.source    the source claimed the guest
 *   TOKEN.target    the target claimed the guest, and runs it
 *
 * Each change is on the disk before its function returns. A token is 32 hexadecimal digits, created
 * for one migration. All functions require the machine lock, and block as long as the file system
 * of the folder does.
 */
#ifndef MIGRATION_HANDOVER_H
#define MIGRATION_HANDOVER_H

#include <glib.h>
#include <stdbool.h>

#define HANDOVER_TOKEN 32 /* characters */

typedef enum HandoverClaim {
    HANDOVER_MINE,   /* the caller owns the guest */
    HANDOVER_THEIRS, /* the other side claimed it */
    HANDOVER_UNKNOWN /* the record cannot be read or changed; the error contains the reason */
} HandoverClaim;

/* Return true if a token from a stream is well-formed. */
bool handover_token_ok(const char *token);
/* Create a record in state "offered" in `folder`, and store its token, with a NUL, in `token`.
 * Returns false with *err set. */
bool handover_offer(const char *folder, char token[HANDOVER_TOKEN + 1], GError **err);
/* Return true if the folder contains that record in state "offered". */
bool handover_is_offered(const char *folder, const char *token);
/* Change the record to "given". The source calls this before it sends GO. Returns false with *err
 * set; the record is then unchanged if the folder permits it. */
bool handover_give(const char *folder, const char *token, GError **err);
/* Claim the guest for the target or for the source. Returns HANDOVER_MINE if the caller's side owns
 * the guest, HANDOVER_THEIRS if the other side claimed it first; both results are final. Returns
 * HANDOVER_UNKNOWN with *err set. */
HandoverClaim handover_claim(const char *folder, const char *token, bool target, GError **err);
/* Remove the record, after the owner is settled or the migration has ended. */
void handover_forget(const char *folder, const char *token);

#endif
