/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state table of an outgoing migration (interface: outgoing_state_internal.h).
 */
#include "migration/outgoing_state_internal.h"

#define TO(state) (1u << OUTGOING_##state)
#define TO_END    (TO(FAILED) | TO(CANCELLING))

#define SAME(status) status, status /* status_after_pause is the same */

const OutgoingStateRow outgoing_states[OUTGOING_STATES] = {
    [OUTGOING_CONNECT] = { "connect", SAME(MIG_SETUP), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_ANY, 0,
                           OUTGOING_TIMED | OUTGOING_CANCEL,
                           TO(DIGESTS) | TO(OFFER) | TO(BOOT) | TO_END },
    [OUTGOING_DIGESTS] = { "digests", SAME(MIG_SETUP), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_ANY, 0,
                           OUTGOING_CANCEL, TO(OFFER) | TO(BOOT) | TO_END },
    [OUTGOING_OFFER] = { "offer", SAME(MIG_SETUP), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_TWO_WAY,
                         ANSWER_ACCEPT, OUTGOING_TIMED | OUTGOING_CANCEL, TO(BOOT) | TO_END },
    [OUTGOING_BOOT] = { "boot", SAME(MIG_ACTIVE), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_ANY, 0,
                        OUTGOING_PRODUCES | OUTGOING_LIMITED | OUTGOING_CANCEL, TO(RAM) | TO_END },
    [OUTGOING_RAM] = { "ram", SAME(MIG_ACTIVE), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_ANY, 0,
                       OUTGOING_PRODUCES | OUTGOING_LIMITED | OUTGOING_CANCEL | OUTGOING_TRACKS,
                       TO(SYNC) | TO(PAUSED) | TO(REST) | TO_END },
    [OUTGOING_SYNC] = { "sync", SAME(MIG_ACTIVE), OUTGOING_GUEST_RUNS, OUTGOING_CHANNEL_TWO_WAY,
                        ANSWER_SYNC, OUTGOING_TIMED | OUTGOING_CANCEL | OUTGOING_TRACKS,
                        TO(PAUSED) | TO(REST) | TO_END },
    [OUTGOING_PAUSED] = { "paused", SAME(MIG_PRE_SWITCHOVER), OUTGOING_GUEST_STOPPED,
                          OUTGOING_CHANNEL_ANY, 0, OUTGOING_CANCEL | OUTGOING_TRACKS,
                          TO(REST) | TO_END },
    [OUTGOING_REST] = { "rest", MIG_ACTIVE, MIG_DEVICE, OUTGOING_GUEST_STOPPED,
                        OUTGOING_CHANNEL_ANY, 0,
                        OUTGOING_PRODUCES | OUTGOING_TIMED | OUTGOING_CANCEL | OUTGOING_TRACKS,
                        TO(LAST) | TO_END },
    [OUTGOING_LAST] = { "last", MIG_ACTIVE, MIG_DEVICE, OUTGOING_GUEST_STOPPED,
                        OUTGOING_CHANNEL_ANY, 0,
                        OUTGOING_PRODUCES | OUTGOING_TIMED | OUTGOING_CANCEL | OUTGOING_TRACKS,
                        TO(VERIFY) | TO(DURABLE) | TO_END },
    [OUTGOING_VERIFY] = { "verify", MIG_ACTIVE, MIG_DEVICE, OUTGOING_GUEST_STOPPED,
                          OUTGOING_CHANNEL_TWO_WAY, ANSWER_DIGEST,
                          OUTGOING_TIMED | OUTGOING_CANCEL | OUTGOING_TRACKS,
                          TO(HANDED_OVER) | TO_END },
    [OUTGOING_HANDED_OVER] = { "handed over", MIG_ACTIVE, MIG_DEVICE, OUTGOING_GUEST_GIVEN,
                               OUTGOING_CHANNEL_TWO_WAY, ANSWER_RUNS,
                               OUTGOING_TIMED | OUTGOING_TRACKS,
                               TO(COMPLETED) | TO(UNDECIDED) | TO(FAILED) },
    [OUTGOING_UNDECIDED] = { "undecided", SAME(MIG_UNDECIDED), OUTGOING_GUEST_GIVEN,
                             OUTGOING_CHANNEL_TWO_WAY, ANSWER_RUNS, OUTGOING_TRACKS,
                             TO(COMPLETED) | TO(FAILED) },
    [OUTGOING_DURABLE] = { "durable", MIG_ACTIVE, MIG_DEVICE, OUTGOING_GUEST_STOPPED,
                           OUTGOING_CHANNEL_ONE_WAY, 0, OUTGOING_CANCEL | OUTGOING_TRACKS,
                           TO(COMPLETED) | TO_END },
    [OUTGOING_CANCELLING] = { "cancelling", SAME(MIG_CANCELLING), OUTGOING_GUEST_ANY,
                              OUTGOING_CHANNEL_ANY, 0, 0, TO(CANCELLED) },
    [OUTGOING_COMPLETED] = { "completed", SAME(MIG_COMPLETED), OUTGOING_GUEST_ANY,
                             OUTGOING_CHANNEL_ANY, 0, OUTGOING_FINAL, 0 },
    [OUTGOING_FAILED] = { "failed", SAME(MIG_FAILED), OUTGOING_GUEST_ANY, OUTGOING_CHANNEL_ANY, 0,
                          OUTGOING_FINAL, 0 },
    [OUTGOING_CANCELLED] = { "cancelled", SAME(MIG_CANCELLED), OUTGOING_GUEST_ANY,
                             OUTGOING_CHANNEL_ANY, 0, OUTGOING_FINAL, 0 },
};
