/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cutting a byte stream into JSON messages: one object each, single- or double-quoted strings.
 *
 * The framer checks the grammar byte by byte and so refuses a malformed message where it goes
 * wrong, not where it might end. Beyond the grammar it refuses control bytes and bytes that are
 * no UTF-8, integers beyond 64 bits, and nesting, size or numbers of values beyond the limits.
 * After a refusal it looks for the next '{' or the end of the line, and refuses no second time on
 * the same line, so that noise gets one answer a line.
 */
#ifndef MONITOR_FRAMING_H
#define MONITOR_FRAMING_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAME_DEPTH_MAX  64
#define FRAME_SIZE_MAX   (16u << 20)
#define FRAME_VALUES_MAX 65536 /* values of every type in one message */

typedef enum FrameResult { FRAME_MORE, FRAME_MESSAGE, FRAME_BAD } FrameResult;

typedef struct Framer {
    GString *text;       /* the message so far */
    const char *problem; /* after FRAME_BAD: static text */
    uint64_t arrays;     /* bit per level: 1 inside '[', 0 inside '{' */
    unsigned depth;
    unsigned values; /* begun so far */
    unsigned want;   /* what the grammar expects next */
    char quote;      /* inside a string: its quote */
    bool escaped;
    uint8_t utf8_left, utf8_min, utf8_max; /* continuation bytes expected, range of the next */
    size_t word;     /* where an unfinished number or literal starts + 1, or 0 */
    bool recovering; /* since a refusal on this line */
    bool done;       /* text is a message that was handed out */
} Framer;

void framer_init(Framer *f);
void framer_clear(Framer *f);
/* Give back the memory of a large message; its text is gone. */
void framer_trim(Framer *f);
/* Forget an unfinished message. */
void framer_reset(Framer *f);
/* Take bytes up to the end of a message, a refusal or len; *used says how many. After
 * FRAME_MESSAGE, f->text is the message until the next call. */
FrameResult framer_feed(Framer *f, const char *bytes, size_t len, size_t *used);

#endif
