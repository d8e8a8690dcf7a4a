/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Splitting a byte stream into JSON messages. Each message is one JSON value; its strings have
 * single or double quotes.
 *
 * The framer checks the grammar byte by byte, and rejects a malformed message at the first invalid
 * byte. It also rejects control bytes, invalid UTF-8, integers that do not fit 64 bits, and
 * messages whose nesting, size or number of values exceeds the limits. After a rejection it skips
 * input up to the next '{' or the end of the line. It reports at most one rejection for each line,
 * so that arbitrary input causes at most one error response for each line.
 *
 * A framer belongs to one thread. No function requires a lock.
 */
#ifndef MONITOR_FRAMING_INTERNAL_H
#define MONITOR_FRAMING_INTERNAL_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define FRAME_DEPTH_MAX  64
#define FRAME_SIZE_MAX   (16u << 20) /* bytes of one message */
#define FRAME_VALUES_MAX 65536       /* values of every type in one message */

typedef enum FrameResult { FRAME_MORE, FRAME_MESSAGE, FRAME_BAD } FrameResult;

typedef struct Framer {
    GString *text;       /* the message so far */
    const char *problem; /* after FRAME_BAD: static text */
    uint64_t arrays;     /* bit per level: 1 inside '[', 0 inside '{' */
    unsigned depth;
    unsigned values; /* in the message so far */
    unsigned want;   /* the next element in the grammar; WANT_... in framing.c */
    char quote;      /* the opening quote inside a string; 0 outside */
    bool escaped;
    uint8_t utf8_left, utf8_min, utf8_max; /* missing continuation bytes, range of the next */
    size_t word;                           /* 1 + offset of an unfinished number or literal, or 0 */
    bool recovering;                       /* a message on this line was rejected */
    bool done;                             /* framer_feed() has returned text as a message */
} Framer;

/* Initialize a framer; framer_clear() frees its memory. */
void framer_init(Framer *f);
void framer_clear(Framer *f);
/* Free the memory of a large message that framer_feed() has returned. f->text is then empty. */
void framer_trim(Framer *f);
/* Discard an unfinished message. The next byte starts a message. */
void framer_reset(Framer *f);
/*
 * Consume bytes up to the end of a message, a rejected byte, or @len. *used is the number of bytes
 * consumed.
 * Returns FRAME_MESSAGE if f->text is a complete message, valid until the next call; FRAME_BAD if a
 * byte was rejected, with the reason in f->problem; FRAME_MORE if all bytes are consumed.
 */
FrameResult framer_feed(Framer *f, const char *bytes, size_t len, size_t *used);

#endif
