/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-over record: who owns a guest, in a folder that both ends can reach.
 *
 * The channel alone cannot tell a source whether the target got its last word. A file can: its
 * name says where the guest is, and it is renamed, which only one of two can do.
 *
 *   TOKEN.offered   a migration is under way; the source has the guest
 *   TOKEN.given     the source will not run it again unless it claims it first; nobody runs it
 *   TOKEN.source    the source claimed it back
 *   TOKEN.target    the target claimed it, and runs it
 *
 * Each step is on the disk before its function returns. A token is 32 hexadecimal digits, made
 * for one migration. Blocks for as long as the folder's file system does. Machine lock.
 */
#ifndef MIGRATION_HANDOVER_H
#define MIGRATION_HANDOVER_H

#include <glib.h>
#include <stdbool.h>

#define HANDOVER_TOKEN 32 /* characters */

typedef enum HandoverClaim {
    HANDOVER_MINE,
    HANDOVER_THEIRS, /* the other side claimed it */
    HANDOVER_UNKNOWN /* the folder does not say; the error tells why */
} HandoverClaim;

/* What a token from a stream must be. */
bool handover_token_ok(const char *token);
/* Make a record in `folder`; token gets its name and a NUL. */
bool handover_offer(const char *folder, char token[HANDOVER_TOKEN + 1], GError **err);
/* Does this folder have that record, still offered? */
bool handover_is_offered(const char *folder, const char *token);
/* The source, before its last word. False: it is as it was. */
bool handover_give(const char *folder, const char *token, GError **err);
/* Take the guest. The answer is final: who asks again gets it again. */
HandoverClaim handover_claim(const char *folder, const char *token, bool target, GError **err);
/* All is settled, or was called off: remove the record. */
void handover_forget(const char *folder, const char *token);

#endif
