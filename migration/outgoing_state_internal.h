/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The states of an outgoing migration as data: the effect of each state on the guest, the channel
 * and query-migrate, and the states that may follow. docs/migration.md shows the table.
 */
#ifndef MIGRATION_OUTGOING_STATE_H
#define MIGRATION_OUTGOING_STATE_H

#include "migration/internal.h"

typedef enum OutgoingState {
    OUTGOING_CONNECT,     /* the channel is being connected */
    OUTGOING_DIGESTS,     /* the digests of the boot images are being computed */
    OUTGOING_OFFER,       /* the description is sent; the target checks it */
    OUTGOING_BOOT,        /* boot images are sent */
    OUTGOING_RAM,         /* passes over RAM while the guest runs */
    OUTGOING_SYNC,        /* the target loads the data in transit, before the guest stops */
    OUTGOING_PAUSED,      /* waiting for migrate-continue */
    OUTGOING_REST,        /* the rest of the pass during which the guest was stopped */
    OUTGOING_LAST,        /* the last pass */
    OUTGOING_VERIFY,      /* everything is sent; the target checks it and answers with the digest */
    OUTGOING_HANDED_OVER, /* GO is sent; the target confirms that the guest runs */
    OUTGOING_UNDECIDED,   /* GO is sent and the target is silent; a late answer still counts */
    OUTGOING_DURABLE,     /* one-way: the copy is being made durable */
    OUTGOING_CANCELLING,
    OUTGOING_COMPLETED, /* the states from here on are final */
    OUTGOING_FAILED,
    OUTGOING_CANCELLED,
    OUTGOING_STATES
} OutgoingState;

typedef enum OutgoingGuest {
    OUTGOING_GUEST_RUNS,    /* not changed by the migration; commands may stop and continue it */
    OUTGOING_GUEST_STOPPED, /* for the rest of the migration; the source owns it */
    OUTGOING_GUEST_GIVEN,   /* handed over: the source does not run it without a request */
    OUTGOING_GUEST_ANY,     /* final states: see docs/migration.md */
} OutgoingGuest;

typedef enum OutgoingChannel {
    OUTGOING_CHANNEL_ANY,
    OUTGOING_CHANNEL_TWO_WAY, /* the state exists only with a return path */
    OUTGOING_CHANNEL_ONE_WAY, /* the state exists only without a return path */
} OutgoingChannel;

enum {
    OUTGOING_PRODUCES = 1 << 0, /* the state makes stream data whenever the channel accepts more */
    OUTGOING_LIMITED = 1 << 1,  /* max-bandwidth applies */
    OUTGOING_TIMED = 1 << 2,    /* the migration fails when no byte moves for STALL_SECONDS */
    OUTGOING_CANCEL = 1 << 3,   /* migrate_cancel is accepted */
    OUTGOING_TRACKS = 1 << 4,   /* dirty pages are tracked */
    OUTGOING_FINAL = 1 << 5,
};

typedef struct OutgoingStateRow {
    const char *name;             /* for assertions and the documentation */
    MigStatus status;             /* for query-migrate */
    MigStatus status_after_pause; /* for query-migrate, after pre-switchover was left */
    OutgoingGuest guest;
    OutgoingChannel channel;
    uint16_t answer; /* type of the answer that the state waits for; 0: none */
    unsigned flags;
    uint32_t next; /* bit n: state n may follow */
} OutgoingStateRow;

/* Indexed by OutgoingState. */
extern const OutgoingStateRow outgoing_states[OUTGOING_STATES];

#endif
