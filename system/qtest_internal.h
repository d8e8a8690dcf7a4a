/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interfaces between the files of the qtest server: state, replies, and the table of requests.
 */
#ifndef SYSTEM_QTEST_INTERNAL_H
#define SYSTEM_QTEST_INTERNAL_H

#include <stdio.h>

#include "chardev/chardev.h"
#include "qtest_words_internal.h"
#include "system/qtest.h"

struct Qtest {
    Machine *m;
    MemMemo memo; /* of the last single access to memory */
    QtestSink *sink;
    void *opaque;
    GString *line;     /* the unfinished request */
    bool skipping;     /* discard the rest of a line that is too long */
    GString *out;      /* replies that the sink has not accepted */
    bool busy;         /* inside a feed, which sends the replies at its end */
    GByteArray *input; /* requests that are not executed yet */
    Device *watched;   /* interception: pinned; NULL for none */
    FILE *log;
    gint64 start;
    Chardev *chardev;
    ChardevFront front;
};

/* Append a reply line. It is sent at the end of the feed. */
void qtest_reply(Qtest *q, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Send the replies if they exceed @limit bytes. Return false if the sink does not accept all of
 * them. */
bool qtest_flush(Qtest *q, size_t limit);

/* Execute one request and append its reply. @fits: qtest_split() has stored all of its words. */
void qtest_run_request(Qtest *q, const QtestWords *r, bool fits);
/* End interception, if any. */
void qtest_unwatch(Qtest *q);

#endif
