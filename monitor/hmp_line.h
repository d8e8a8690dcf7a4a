/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The line editor of the human monitor: echo, backspace, Ctrl-U, and a history by the arrow keys.
 */
#ifndef MONITOR_HMP_LINE_H
#define MONITOR_HMP_LINE_H

#include <glib.h>
#include <stdbool.h>

#define HMP_LINE_MAX 4095
#define HMP_HISTORY  32
#define HMP_PROMPT   "(qemu) "
#define HMP_BANNER                                                                                 \
    "Backplane " BACKPLANE_VERSION " monitor - type 'help' for more information\r\n" HMP_PROMPT

typedef struct HmpLine {
    GString *text, *echo; /* what is typed; what to send back (the caller empties it) */
    char *entered;        /* the last whole line */
    GQueue history;       /* char*, newest first */
    int recall;           /* -1, or the place in the history */
    unsigned escape;      /* bytes of an arrow key's sequence so far */
} HmpLine;

void hmp_line_init(HmpLine *l);
void hmp_line_clear(HmpLine *l);
void hmp_line_reset(HmpLine *l);
/* One byte typed. The line when it was Enter (valid until the next call), else NULL. */
const char *hmp_line_feed(HmpLine *l, char c);
/* Append text with each newline as CR LF. */
void hmp_emit_lines(GString *out, const char *text);

#endif
