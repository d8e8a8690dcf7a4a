/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Definitions shared by the files of migration/. All functions require the machine lock.
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
#define STALL_SECONDS  10 /* maximum time without a byte in a state with OUTGOING_TIMED */
#define GO_SECONDS     30 /* maximum time from the digest to GO, on the target */
/* Time limits of an accepted connection: until the header is received, and from then until the
 * description is accepted. */
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

/* Figures for query-migrate, of the migration in progress or of the last one. */
typedef struct MigStats {
    int64_t started, setup_done, stopped, ended; /* migration_now(); 0: not yet */
    uint64_t bytes, device_bytes;
    RamStats ram;
    SavevmCost devices;  /* estimated when the migration began */
    uint64_t bandwidth;  /* bytes/s during the last pass */
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
    char record[HANDOVER_TOKEN + 1]; /* token of the outgoing migration or check; empty: none */
    Outgoing *out;                   /* NULL: none in progress */
    MigrationCheck *check;           /* NULL: none in progress; excludes out and in */
    bool given_away;                 /* the guest was handed over: it runs elsewhere, or may */
    bool disks_released;
    RunState before; /* the source's run state before it stopped */
    Incoming *in;    /* NULL: no connection */
    ChannelServer *server;
    bool incoming_deferred, incoming_used; /* "defer" was given; a URI was given */
    bool incoming_once;     /* the URI is of the command line, and can be read only once */
    MigrationEndFn *on_end; /* waits for the end of the outgoing migration; NULL: none */
    void *on_end_opaque;
};

/* migrate.c */
/* Set the status. A change is reported by a MIGRATION event if the capability is enabled. */
void migration_set_status(Migration *mig, MigStatus status);
/* Return true if an outgoing migration or a check can begin now; otherwise false with *err set. */
bool migration_may_send(Migration *mig, GError **err);
/* Set error-desc. Consumes err. */
void migration_set_error(Migration *mig, GError *err);
/* Clear the error, the incompatibilities and the figures of the last migration. */
void migration_clear_result(Migration *mig);
/* Lock the disks. Returns false with *err set. */
bool migration_disks_take(Migration *mig, GError **err);
/* Drain, flush and unlock the disks. Returns false with *err set. */
bool migration_disks_release(Migration *mig, GError **err);
/* Return the function that translates names to descriptors. */
ChannelFds migration_fds(Migration *mig);
/* Create the hand-over record of an outgoing migration or check, or change it to "given". Return
 * false with *err set. Do nothing and return true if no folder is set. */
bool migration_record_offer(Migration *mig, GError **err);
bool migration_record_give(Migration *mig, GError **err);
/* Claim a guest that was handed over, for the source. Without a record, returns HANDOVER_UNKNOWN
 * and sets no error. */
HandoverClaim migration_record_claim(Migration *mig, GError **err);
/* Remove the record, if there is one. */
void migration_record_forget(Migration *mig);
int64_t migration_now(void); /* monotonic ns */

/* convergence.c */
/* Return the time in ms in which ram_left bytes of RAM and the states of the devices could be
 * transferred now. s->bandwidth must not be 0. */
double migration_expected_downtime(const MigStats *s, uint64_t ram_left);

/* outgoing.c */
/* Begin to send the guest; mig->out is set. Returns false with *err set. */
bool outgoing_start(Migration *mig, const char *uri, GError **err);
/* Cancel, and free o. Permitted if outgoing_may_cancel(). */
void outgoing_cancel(Outgoing *o);
/* Leave pre-switchover. */
void outgoing_continue(Outgoing *o);
/* Return the channel, owned by o. */
Channel *outgoing_channel(const Outgoing *o);
/* Return true if the guest was not handed over yet. */
bool outgoing_may_cancel(const Outgoing *o);
/* Close the channel and free o, without changing the status or the run state. NULL is allowed. */
void outgoing_free(Outgoing *o);
/* Append the file header, the configuration and the description. The section of the description is
 * added to the digest and, unless NULL, to `devices`. */
void outgoing_put_head(Migration *mig, ByteWriter *w, GChecksum *digest,
                       struct json_object *devices);

/* check.c */
/* End a check with an error, "migrate-check: WHY". NULL is allowed. */
void migration_check_cancel(MigrationCheck *c, const char *why);

/* answers.c: the source's reader of the return path */
typedef struct Answers {
    GByteArray *buf;
    size_t used;       /* bytes in buf of the answer that was returned last */
    GString *deficits; /* pieces of a list that is not complete yet */
} Answers;
typedef struct Answer {
    uint16_t type;
    const uint8_t *data;
    size_t len;
    struct json_object *deficits; /* the list of ANSWER_DEFICITS, owned by the caller; or NULL */
} Answer;
void answers_init(Answers *a);
void answers_clear(Answers *a);
/* Read from the channel. Returns 1: an answer is in *out, whose data is valid until the next call;
 * 0: no complete answer was read; the channel may have more bytes; -1 with *err set. */
int answers_next(Answers *a, Channel *ch, Answer *out, GError **err);

/* incoming.c */
/* Begin to load from a channel, which this function owns, or reject it if another migration is in
 * progress. opaque: the Migration. */
void incoming_accept(void *opaque, Channel *ch);
/* Fail the load with the error "the load was cancelled", and free in. NULL is allowed. */
void incoming_cancel(Incoming *in);
/* Return the channel, owned by in. */
Channel *incoming_channel(const Incoming *in);

/* handshake.c */
/* Return the text of the description section, for g_free(). */
char *handshake_text(Migration *mig);
/* Parse such a text. Returns the description, for plan_machine_free(), which contains no file name
 * of a host; NULL with *err set. *parts is set to the properties of host parts that the guest sees,
 * [{kind, id, size}], or to NULL, for json_object_put(), also if NULL is returned. */
PlanMachine *handshake_parse(const uint8_t *data, size_t len, const PlanCatalog *catalog,
                             struct json_object **parts, GError **err);
/* Check whether `offer` provides everything that the description requires. Returns an array of
 * incompatibilities {device, property, wanted, have}, for json_object_put(). If the array is empty,
 * the description is accepted, and was resolved in place. */
struct json_object *handshake_judge(PlanMachine *wanted, struct json_object *parts,
                                    const MigrationOffer *offer, const PlanCatalog *catalog);
/* Return the token of the hand-over record among the parts, borrowed; NULL if there is none. */
const char *handshake_record(struct json_object *parts);
/* Return the list of incompatibilities as one error message, for g_free(). Long lists are
 * truncated. */
char *handshake_sentence(struct json_object *deficits);

#endif
