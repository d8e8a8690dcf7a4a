/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of migration/ share.
 */
#ifndef MIGRATION_INTERNAL_H
#define MIGRATION_INTERNAL_H

#include "migration/boot_internal.h"
#include "migration/channel_internal.h"
#include "migration/handover_internal.h"
#include "migration/migration.h"
#include "migration/ram_internal.h"
#include "migration/savevm.h"
#include "util/error.h"

#define HWDESC_SECTION "backplane/hwdesc"
#define HWDESC_VERSION 1
#define PROFILE        "backplane-1"
#define DIGEST_BYTES   40 /* SHA-256 of the sections, then the number of pages */
#define STALL_SECONDS  10 /* without a byte while the guest stands still */
#define GO_SECONDS     30 /* that a loaded guest waits for being given */
/* Time limits of an accepted connection: to the header, and from there to the accepted
 * description. */
#define HEADER_SECONDS      10
#define DESCRIPTION_SECONDS 30
#define MAX_DEFICIT_TEXT    (8u << 20)

typedef enum MigStatus {
    MIG_NONE,
    MIG_SETUP,
    MIG_CANCELLING,
    MIG_CANCELLED,
    MIG_ACTIVE,
    MIG_PRE_SWITCHOVER,
    MIG_DEVICE,
    MIG_COMPLETED,
    MIG_FAILED,
    MIG_UNDECIDED,
    MIG_STATUSES
} MigStatus;

typedef enum MigCap {
    CAP_EVENTS,
    CAP_AUTO_CONVERGE,
    CAP_PAUSE_BEFORE_SWITCHOVER,
    CAP_RETURN_PATH,
    N_CAPS
} MigCap;

typedef enum MigParam {
    PARAM_DOWNTIME_LIMIT, /* ms */
    PARAM_MAX_BANDWIDTH,  /* bytes/s */
    PARAM_THROTTLE_INITIAL,
    PARAM_THROTTLE_INCREMENT,
    PARAM_THROTTLE_MAX,
    PARAM_THROTTLE_TRIGGER,
    N_PARAMS
} MigParam;

/* What query-migrate tells; of the migration under way or of the last one. */
typedef struct MigStats {
    int64_t started, setup_done, stopped, ended; /* realtime ns; 0: not yet */
    uint64_t bytes, device_bytes;
    RamStats ram;
    SavevmCost devices;  /* estimated when the migration began */
    uint64_t bandwidth;  /* bytes/s, of the last pass */
    uint64_t dirty_rate; /* pages/s */
    unsigned throttle;   /* percent */
} MigStats;

typedef struct Outgoing Outgoing;
typedef struct Incoming Incoming;

struct Migration {
    Machine *machine;
    MigrationHooks hooks;
    MigStatus status;
    char *error;
    struct json_object *deficits;
    MigStats stats;
    bool caps[N_CAPS];
    uint64_t params[N_PARAMS];
    char *handover;                  /* folder of hand-over records; NULL: none are made */
    char record[HANDOVER_TOKEN + 1]; /* the outgoing migration's; empty: it has none */
    Outgoing *out;                   /* NULL: none under way */
    MigrationCheck *check;           /* NULL: none under way; excludes out and in */
    bool given_away;                 /* the guest runs elsewhere, or may */
    bool disks_released;
    RunState before; /* the source's run state before it stopped */
    Incoming *in;    /* NULL: no connection */
    ChannelServer *server;
    bool incoming_deferred, incoming_used; /* -incoming was given; its URI is known */
};

/* migrate.c */
void migration_set_status(Migration *mig, MigStatus status);
/* Whether an outgoing migration can begin now. */
bool migration_may_send(Migration *mig, GError **err);
/* Remember why it failed; consumes err. */
void migration_set_error(Migration *mig, GError *err);
void migration_clear_result(Migration *mig);
bool migration_disks_take(Migration *mig, GError **err);
bool migration_disks_release(Migration *mig, GError **err);
ChannelFds migration_fds(Migration *mig);
/* The outgoing hand-over record; all do nothing if no folder is set. */
bool migration_record_offer(Migration *mig, GError **err);
bool migration_record_give(Migration *mig, GError **err);
/* Whose is a guest that was given away? Without a record: unknown, and no error. */
HandoverClaim migration_record_claim(Migration *mig, GError **err);
void migration_record_forget(Migration *mig);
int64_t migration_now(void); /* monotonic ns */

/* ms that the last bytes of RAM and the devices' states would take now. */
double migration_expected_downtime(const MigStats *s, uint64_t ram_left);

/* outgoing.c */
bool outgoing_start(Migration *mig, const char *uri, GError **err);
void outgoing_cancel(Outgoing *o);
void outgoing_continue(Outgoing *o);
bool outgoing_may_cancel(const Outgoing *o);
void outgoing_free(Outgoing *o);
/* File header to description; the section is added to the digest and, unless NULL, to devices. */
void outgoing_put_head(Migration *mig, ByteWriter *w, GChecksum *digest,
                       struct json_object *devices);

/* check.c */
/* End a check with an error, "migrate-check: WHY". NULL is allowed. */
void migration_check_cancel(MigrationCheck *c, const char *why);

/* answers.c: the return path as the source reads it */
typedef struct Answers {
    GByteArray *buf;
    size_t used;       /* bytes of the answer given last */
    GString *deficits; /* pieces of a list that is not whole yet */
} Answers;
typedef struct Answer {
    uint16_t type;
    const uint8_t *data;
    size_t len;
    struct json_object *deficits; /* of ANSWER_DEFICITS; owned by the caller */
} Answer;
void answers_init(Answers *a);
void answers_clear(Answers *a);
/* Read what has come: 1 and *out (data valid until the next call); 0: nothing whole; -1. */
int answers_next(Answers *a, Channel *ch, Answer *out, GError **err);

/* incoming.c */
void incoming_accept(void *opaque, Channel *ch); /* opaque: the Migration; takes ch */
void incoming_cancel(Incoming *in);

/* handshake.c */
/* The text of the description section; g_free. */
char *handshake_text(Migration *mig);
/* Parse one: NULL and a sentence. Names no file of a host. *parts (owned, may be NULL) says what
 * the guest sees of the host parts: [{kind, id, size}]. */
PlanMachine *handshake_parse(const uint8_t *data, size_t len, const PlanCatalog *catalog,
                             struct json_object **parts, GError **err);
/* Everything that `offer` cannot provide of `wanted`, as {device, property, wanted, have}; an
 * empty array: accepted, and wanted is then resolved. */
struct json_object *handshake_judge(PlanMachine *wanted, struct json_object *parts,
                                    const MigrationOffer *offer, const PlanCatalog *catalog);
/* The token of the hand-over record among the parts, borrowed; NULL: there is none. */
const char *handshake_record(struct json_object *parts);
/* The list as one sentence; g_free. */
char *handshake_sentence(struct json_object *deficits);

#endif
